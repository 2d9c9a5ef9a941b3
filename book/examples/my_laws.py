"""Laws that the paper does not have: a template for your own."""

import jax.numpy as jnp

from symlib.laws.potentials import PairPotential


def screened(r, a, b):
    return -a.mass * b.mass * jnp.exp(-r) / r


YUKAWA = PairPotential("yukawa", screened, dt=0.005)

# Short ones fit in a line: here the force falls with the cube of the distance.
CUBIC = PairPotential("cubic", lambda r, a, b: -a.mass * b.mass / r**2, dt=0.001)
