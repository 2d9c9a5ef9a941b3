"""Laws: pair potentials, and the names of the variables."""
