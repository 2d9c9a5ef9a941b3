"""What a universe is checked by: its power spectrum, mass function and pair counts.

Each is measured here and compared in the tests with what is known of it: linear theory on
large scales, published fits of the mass function, and direct counting.
"""

import numpy as np

from symlib.cosmology.gravity import paint
from symlib.cosmology.halos import tree_of
from symlib.errors import InputError


def field_spectrum(
    field: np.ndarray, box: float, bins: int | None = None, compensate: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Power spectrum of a field on a periodic mesh, averaged over shells.

    Args:
        field: density contrast, shape [mesh, mesh, mesh], dimensionless.
        box: side, Mpc/h.
        bins: shells, one fundamental wave number 2π/box thick; all up to the mesh's highest
            wave number when None.
        compensate: undo the smoothing of cloud-in-cell painting.

    Returns:
        Mean wave number (h/Mpc), power ((Mpc/h)³) and number of modes, shape [bins] each.
    """
    mesh = len(field)
    bins = mesh // 2 - 1 if bins is None else bins
    if not 1 <= bins < mesh // 2:
        raise InputError(f"bins: from 1 to {mesh // 2 - 1} on a mesh of {mesh}, got {bins!r}")
    amplitudes = np.fft.rfftn(np.asarray(field, np.float64))
    full, half = np.fft.fftfreq(mesh, 1 / mesh), np.fft.rfftfreq(mesh, 1 / mesh)
    waves = np.meshgrid(full, full, half, indexing="ij", sparse=True)
    if compensate:
        for wave in waves:
            amplitudes /= np.sinc(wave / mesh) ** 2
    length = np.sqrt(sum(wave**2 for wave in waves))
    # A real transform keeps one of each pair of opposite waves.
    weight = np.broadcast_to(np.where((half == 0) | (half == mesh // 2), 1.0, 2.0), length.shape)
    power = np.abs(amplitudes) ** 2 * (box**3 / mesh**6)
    edges = np.arange(bins + 1) + 0.5
    modes = np.histogram(length, edges, weights=weight)[0]
    mean_k = np.histogram(length, edges, weights=weight * length)[0] / modes * (2 * np.pi / box)
    return mean_k, np.histogram(length, edges, weights=weight * power)[0] / modes, modes


def power_spectrum(
    positions: np.ndarray, box: float, mesh: int = 128, bins: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Power spectrum of particles; nothing is taken off for shot noise, box³/particles.

    Args:
        positions: shape [particles, 3], Mpc/h.
        box: side, Mpc/h.
        mesh: cells per side of the mesh that they are painted on.
        bins: as of `field_spectrum`; half the mesh's wave numbers when None.

    Returns:
        Wave number (h/Mpc), power ((Mpc/h)³), modes, as of `field_spectrum`.
    """
    density = np.asarray(paint(np.asarray(positions, np.float32) * (mesh / box), mesh)) - 1
    return field_spectrum(density, box, mesh // 4 if bins is None else bins, compensate=True)


def mass_function(
    masses: np.ndarray, box: float, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Halos per volume and logarithm of mass.

    Args:
        masses: h⁻¹ M☉.
        box: side, Mpc/h.
        edges: of the mass bins, h⁻¹ M☉, rising.

    Returns:
        dn/dlnM in (h/Mpc)³ and the halos counted, shape [bins] each.
    """
    counts = np.histogram(masses, edges)[0]
    return counts / np.diff(np.log(edges)) / box**3, counts


def pair_counts(positions: np.ndarray, box: float, edges: np.ndarray) -> np.ndarray:
    """Pairs by periodic separation, each pair once.

    Args:
        positions: shape [halos, 3], Mpc/h.
        box: side, Mpc/h.
        edges: of the separation bins, Mpc/h, rising, at most half the box.

    Returns:
        Whole numbers, shape [bins].
    """
    edges = np.asarray(edges, np.float64)
    if edges[0] < 0 or edges[-1] > box / 2 or (np.diff(edges) <= 0).any():
        raise InputError(f"edges: rising, from 0 to half the box ({box / 2:g} Mpc/h): {edges}")
    tree = tree_of(positions, box)
    within = tree.count_neighbors(tree, edges)
    return np.diff(within.astype(np.int64)) // 2


def correlation(positions: np.ndarray, box: float, edges: np.ndarray) -> np.ndarray:
    """Two-point correlation ξ(r): pairs over those of a uniform box, less one.

    Args and errors: as of `pair_counts`.

    Returns:
        Shape [bins], dimensionless.
    """
    count = len(positions)
    shells = 4 / 3 * np.pi * np.diff(np.asarray(edges, np.float64) ** 3)
    expected = count * (count - 1) / 2 * shells / box**3
    return pair_counts(positions, box, edges) / expected - 1
