"""Linear theory and the start of a simulation: the cosmology, its growth, noise, 2LPT.

The cosmology is Planck 2015, the linear power spectrum Eisenstein & Hu's, both as jax-cosmo
has them; the Gaussian field is JaxPM's. Momenta are a² dx/dt in units of H0, lengths comoving
Mpc/h.
"""

import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

from symlib.cosmology.gravity import waves

with warnings.catch_warnings():
    # jax-cosmo asks pkg_resources for its own version, which warns that it is old.
    warnings.simplefilter("ignore")
    import jax_cosmo
    from jaxpm import pm
    from jaxpm.kernels import invlaplace_kernel

CRITICAL_DENSITY = 2.77536627e11  # h² M☉ / Mpc³


def cosmology() -> jax_cosmo.Cosmology:
    """Planck 2015 (flat, Ω_m = 0.3075, h = 0.6774, σ8 = 0.8159), always a fresh one.

    jax-cosmo keeps what it has computed in a cosmology's `_workspace`; one that jax-cosmo has
    used makes JaxPM's growth functions fail with a KeyError.
    """
    return jax_cosmo.Planck15()


def linear_power(k: np.ndarray) -> np.ndarray:
    """Linear matter power spectrum at a = 1, (Mpc/h)³, for wave numbers in h/Mpc."""
    with jax.enable_x64(True):
        return np.asarray(jax_cosmo.power.linear_matter_power(cosmology(), jnp.asarray(k)))


def linear_growth(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Growth of first and second order, and of the momenta that go with them.

    Solved here, because JaxPM reads it off a table of 128 rows, which leaves an error of 2%
    in the growth of a single time step.

    Args:
        a: scale factors, from 1e-4 to 1, shape [n].

    Returns:
        D1, a³ E D1', D2, a³ E D2' (dimensionless, D1 = 1 at a = 1), shape [n] each. A particle
        is displaced by D1 times the gradient of the first potential and D2 of the second.
    """
    matter = float(cosmology().Omega_m)

    def pace(a):
        return np.sqrt(matter / a**3 + 1 - matter)

    def slopes(a, state):
        first, first_momentum, second, second_momentum = state
        drift, kick = 1 / (a**3 * pace(a)), 1.5 * matter / (a**2 * pace(a))
        return [
            drift * first_momentum,
            kick * first,
            drift * second_momentum,
            kick * (second + first**2),
        ]

    # Early on all is matter: D1 = a, D2 = 3/7 a².
    begin = 1e-4
    momentum = begin**3 * pace(begin)
    state = [begin, momentum, 3 / 7 * begin**2, 6 / 7 * begin * momentum]
    curve = solve_ivp(slopes, (begin, 1.0), state, rtol=1e-11, atol=1e-18, dense_output=True).sol
    today = curve(1.0)[0]
    grown = curve(np.asarray(a, np.float64)) / np.array([[1], [1], [today], [today]]) / today
    return tuple(grown)


def linear_field(box: float, side: int, seed: int) -> np.ndarray:
    """The initial noise grown linearly to a = 1: the density contrast on the lattice.

    Args:
        box: side of the box, Mpc/h.
        side: lattice points per side.
        seed: of the noise.

    Returns:
        Shape [side, side, side], dimensionless, float32.
    """
    k = np.logspace(-4, 2, 512)
    power = linear_power(k).astype(np.float32)

    def spectrum(wave):
        return jnp.interp(wave, k.astype(np.float32), power)

    key = jax.random.PRNGKey(seed)
    return np.asarray(pm.linear_field((side,) * 3, (box,) * 3, spectrum, key))


@jax.jit
def _displacements(field):
    """First- and second-order displacements in cells, per unit of D1 and D2 (2LPT)."""
    cells = field.shape[0]
    k = waves(cells)
    inverse = invlaplace_kernel(k)
    # The highest wave has no gradient on a lattice; elsewhere ik is exact.
    steps = [jnp.where(jnp.abs(wave) > jnp.pi * (1 - 1e-6), 0.0, wave) for wave in k]
    real = partial(jnp.fft.irfftn, s=field.shape)

    def shift(contrast):
        pot = jnp.fft.rfftn(contrast) * inverse
        return jnp.stack([real(-1j * step * pot) for step in steps], axis=-1).reshape(-1, 3)

    pot = jnp.fft.rfftn(field) * inverse

    def shear(i, j):
        return real(-k[i] * k[j] * pot)

    xx, yy, zz = (shear(i, i) for i in range(3))
    source = xx * yy + yy * zz + zz * xx
    source -= shear(0, 1) ** 2 + shear(1, 2) ** 2 + shear(0, 2) ** 2
    return shift(field), shift(source)


def start(field: np.ndarray, box: float, a: float):
    """Particles on a lattice, moved to scale factor a by second-order perturbation theory.

    Args:
        field: linear density contrast at a = 1 on the lattice, shape [side, side, side].
        box: side of the box, Mpc/h.
        a: scale factor.

    Returns:
        Positions (Mpc/h, some outside the box) and momenta (Mpc/h), float32, shape
        [side³, 3], in the lattice's order.
    """
    first, second = _displacements(jnp.asarray(field))
    d1, pace1, d2, pace2 = (float(value[0]) for value in linear_growth([a]))
    side, spacing = len(field), box / len(field)
    lattice = np.indices((side,) * 3, dtype=np.float32).reshape(3, -1).T
    positions = (jnp.asarray(lattice) + d1 * first + d2 * second) * spacing
    return positions, (pace1 * first + pace2 * second) * spacing
