"""Data of a user's own, as the same snapshots that simulations give."""
