"""Gravity: its linear theory, the start of a simulation, and the pull on a mesh.

The cosmology is Planck 2015, the linear power spectrum Eisenstein & Hu's, both as jax-cosmo
has them; the Gaussian field and the kernels of Poisson's equation are JaxPM's. JaxPM's own pass
takes as many cells as particles; here the mesh may be finer than the lattice that the particles
started on. Momenta are a² dx/dt in units of H0, lengths comoving Mpc/h, numbers float32.
"""

import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from scipy.special import hyp2f1

with warnings.catch_warnings():
    # jax-cosmo asks pkg_resources for its own version, which warns that it is old.
    warnings.simplefilter("ignore")
    import jax_cosmo
    from jaxpm import pm
    from jaxpm.kernels import gradient_kernel, invlaplace_kernel


def cosmology() -> jax_cosmo.Cosmology:
    """Planck 2015: flat, Ω_m = 0.3075, h = 0.6774, σ8 = 0.8159."""
    return jax_cosmo.Planck15()


def linear_power(k: np.ndarray) -> np.ndarray:
    """Linear matter power spectrum at a = 1, (Mpc/h)³, for wave numbers in h/Mpc."""
    with jax.enable_x64(True):
        return np.asarray(jax_cosmo.power.linear_matter_power(cosmology(), jnp.asarray(k)))


def _matter_share(a):
    """Ω_m today and at scale factor a."""
    matter = float(cosmology().Omega_m)
    return matter, matter / (matter + (1 - matter) * a**3)


def linear_growth(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Linear growth in a flat universe with a cosmological constant, in closed form.

    jax-cosmo and JaxPM read it off a table of 128 rows, which leaves an error of 2% in the
    growth of a single time step.

    Returns:
        D1 and a³ E D1' at scale factors a, shape [n] each (dimensionless, D1 = 1 at a = 1): a
        particle is displaced by D1 times the gradient of the potential, and has that momentum.
    """
    a = np.append(np.asarray(a, np.float64), 1.0)
    matter, share = _matter_share(a)
    grown = a * hyp2f1(1 / 3, 1, 11 / 6, 1 - 1 / share)
    pace = np.sqrt(matter * a * share) * (2.5 * a - 1.5 * grown)
    return grown[:-1] / grown[-1], pace[:-1] / grown[-1]


def linear_field(box: float, side: int, seed: int) -> np.ndarray:
    """The initial noise grown linearly to a = 1: the density contrast on the lattice.

    Returns:
        Shape [side, side, side], dimensionless, float32, for a box in Mpc/h.
    """
    k = np.logspace(-4, 2, 512)
    known = k.astype(np.float32), linear_power(k).astype(np.float32)
    noise = (side,) * 3, (box,) * 3, lambda wave: jnp.interp(wave, *known)
    return np.asarray(pm.linear_field(*noise, jax.random.PRNGKey(seed)))


def waves(cells: int):
    """Wave numbers of a real transform in radians per cell, one array per axis."""
    full = 2 * jnp.pi * jnp.fft.fftfreq(cells)
    half = 2 * jnp.pi * jnp.fft.rfftfreq(cells)
    return full[:, None, None], full[None, :, None], half[None, None, :]


@jax.jit
def _displacements(field):
    """First- and second-order displacements in cells, per unit of D1 and D2 (2LPT)."""
    k = waves(len(field))
    real = partial(jnp.fft.irfftn, s=field.shape)
    # The highest wave has no gradient on a lattice; elsewhere ik is exact. (JaxPM's own 2LPT
    # takes finite differences, which weaken the short waves that small halos grow from.)
    steps = [jnp.where(jnp.abs(wave) > jnp.pi * (1 - 1e-6), 0.0, wave) for wave in k]

    def potential(contrast):
        return jnp.fft.rfftn(contrast) * invlaplace_kernel(k)

    def shift(contrast):
        pot = potential(contrast)
        return jnp.stack([real(-1j * step * pot) for step in steps], axis=-1).reshape(-1, 3)

    def shear(i, j):
        return real(-k[i] * k[j] * potential(field))

    planes = ((0, 1), (1, 2), (0, 2))
    source = sum(shear(i, i) * shear(j, j) - shear(i, j) ** 2 for i, j in planes)
    return shift(field), shift(source)


def start(field: np.ndarray, box: float, a: float):
    """Particles on a lattice, moved to scale factor a by second-order perturbation theory.

    The second-order growth is 3/7 D1² Ω_m(a)^(-1/143), its rate 2 Ω_m(a)^(6/11) (Bouchet et al.
    1995): right to 3·10⁻⁵ up to a = 0.1.

    Args:
        field: linear density contrast at a = 1 on the lattice, shape [side, side, side].

    Returns:
        Positions (Mpc/h, some outside the box) and momenta (Mpc/h), float32, shape
        [side³, 3], in the lattice's order.
    """
    first, second = _displacements(jnp.asarray(field))
    (d1,), (pace1,) = linear_growth([a])
    matter, share = _matter_share(a)
    d2 = 3 / 7 * d1**2 * share ** (-1 / 143)
    pace2 = 2 * share ** (6 / 11) * d2 * np.sqrt(matter * a / share)
    side, spacing = len(field), box / len(field)
    lattice = np.indices((side,) * 3, dtype=np.float32).reshape(3, -1).T
    positions = (jnp.asarray(lattice) + d1 * first + d2 * second) * spacing
    return positions, (pace1 * first + pace2 * second) * spacing


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

    Positions [particles, 3] and the result are in Mpc/h, float32; the mesh has that many cells
    per side.
    """
    cell = box / mesh
    positions = positions / cell
    pot = _potential(positions, mesh)
    # One component after the other: three meshes at a time would not fit a small machine.
    return jnp.stack([_pull(pot, positions, mesh, axis) for axis in range(3)], -1) * cell
