"""Gravity on a mesh: paint the particles, solve Poisson's equation by FFT, read the pull.

The mesh may be finer than the lattice that the particles started on, which JaxPM's own pass
does not allow (it takes as many cells as particles); the Poisson and gradient kernels are
JaxPM's. Everything is float32 and in cells, except `pull`.
"""

import warnings
from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

with warnings.catch_warnings():
    # jax-cosmo asks pkg_resources for its own version, which warns that it is old.
    warnings.simplefilter("ignore")
    from jaxpm.kernels import gradient_kernel, invlaplace_kernel


def waves(cells: int):
    """Wave numbers of a real transform in radians per cell, one array per axis."""
    full = 2 * jnp.pi * jnp.fft.fftfreq(cells)
    half = 2 * jnp.pi * jnp.fft.rfftfreq(cells)
    return full[:, None, None], full[None, :, None], half[None, None, :]


def _read(field, positions):
    """A field between its cells: each particle's eight nearest, weighted cloud-in-cell."""
    return map_coordinates(field, list(positions.T), order=1, mode="wrap")


@partial(jax.jit, static_argnames="mesh")
def paint(positions, mesh: int):
    """Cloud-in-cell density in units of the mean; positions [n, 3] in cells, [mesh]³ out."""
    # Painting is the transpose of reading.
    field = jax.ShapeDtypeStruct((mesh,) * 3, jnp.float32)
    spread = jax.linear_transpose(lambda field: _read(field, positions), field)
    return spread(jnp.ones(len(positions)))[0] * (mesh**3 / len(positions))


@partial(jax.jit, static_argnames="mesh")
def _potential(positions, mesh):
    return jnp.fft.rfftn(paint(positions, mesh)) * invlaplace_kernel(waves(mesh))


@partial(jax.jit, static_argnames=("mesh", "axis"))
def _pull(pot, positions, mesh, axis):
    """One component of -∇∇⁻²δ at the particles, in cells."""
    gradient = -gradient_kernel(waves(mesh), axis) * pot
    return _read(jnp.fft.irfftn(gradient, s=(mesh,) * 3), positions)


def pull(positions, box: float, mesh: int):
    """-∇∇⁻²δ at the particles: the displacement that would linearly make this density.

    Args:
        positions: shape [particles, 3], Mpc/h, in [0, box].
        box: side of the box, Mpc/h.
        mesh: cells per side.

    Returns:
        Shape [particles, 3], Mpc/h, float32.
    """
    cell = box / mesh
    positions = positions / cell
    pot = _potential(positions, mesh)
    # One component after the other: three meshes at a time would not fit a small machine.
    return jnp.stack([_pull(pot, positions, mesh, axis) for axis in range(3)], -1) * cell
