"""Gravity on a mesh: paint the particles, solve Poisson's equation by FFT, read the pull.

The mesh may be finer than the lattice that the particles started on, which JaxPM's own pass
does not allow (it takes as many cells as particles), so painting and reading are here; the
Poisson and gradient kernels are JaxPM's. Everything is float32 and in cells, except `pull`.
"""

import warnings
from functools import partial

import jax
import jax.numpy as jnp

with warnings.catch_warnings():
    # jax-cosmo asks pkg_resources for its own version, which warns that it is old.
    warnings.simplefilter("ignore")
    from jaxpm.kernels import gradient_kernel, invlaplace_kernel

_CORNERS = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]


def waves(cells: int):
    """Wave numbers of a real transform in radians per cell, one array per axis."""
    full = 2 * jnp.pi * jnp.fft.fftfreq(cells)
    half = 2 * jnp.pi * jnp.fft.rfftfreq(cells)
    return full[:, None, None], full[None, :, None], half[None, None, :]


def _cells(positions, corner, mesh):
    """Flat indices of one of the eight nearest cells, and the particles' weights there."""
    below = jnp.floor(positions)
    offset = positions - below
    corner = jnp.array(corner)
    weights = jnp.prod(jnp.where(corner == 1, offset, 1 - offset), axis=-1)
    cell = jnp.mod(below.astype(jnp.int32) + corner, mesh)
    return (cell[:, 0] * mesh + cell[:, 1]) * mesh + cell[:, 2], weights


@partial(jax.jit, static_argnames="mesh")
def paint(positions, mesh: int):
    """Cloud-in-cell density in units of the mean; positions [n, 3] in cells, [mesh]³ out."""
    density = jnp.zeros(mesh**3, jnp.float32)
    for corner in _CORNERS:
        cells, weights = _cells(positions, corner, mesh)
        density = density.at[cells].add(weights)
    return density.reshape(mesh, mesh, mesh) * (mesh**3 / len(positions))


@partial(jax.jit, static_argnames="mesh")
def _potential(positions, mesh):
    return jnp.fft.rfftn(paint(positions, mesh)) * invlaplace_kernel(waves(mesh))


@partial(jax.jit, static_argnames=("mesh", "axis"))
def _pull(pot, positions, mesh, axis):
    """One component of -∇∇⁻²δ at the particles, in cells."""
    field = jnp.fft.irfftn(-gradient_kernel(waves(mesh), axis) * pot, s=(mesh,) * 3).ravel()
    found = 0.0
    for corner in _CORNERS:
        cells, weights = _cells(positions, corner, mesh)
        found = found + field[cells] * weights
    return found


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
