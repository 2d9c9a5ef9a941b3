"""Laws that the paper does not have: a template for your own."""

import jax.numpy as jnp

from symlib.laws.potentials import PairPotential


def screened(r, a, b):
    return -a.mass * b.mass * jnp.exp(-r) / r


YUKAWA = PairPotential("yukawa", screened, dt=0.005)

# Short ones fit in a line: here the force falls with the cube of the distance.
CUBIC = PairPotential("cubic", lambda r, a, b: -a.mass * b.mass / r**2, dt=0.001)

# A gravity in a trap, through a medium: what acts on one body alone stands beside the pair's.
TRAPPED = PairPotential(
    "trapped",
    lambda r, a, b: -a.mass * b.mass / r,
    dt=0.001,
    external=lambda a: 0.25 * jnp.sum(a.position**2),
    drag=lambda a: -0.1 * a.velocity,
)
