"""The baseline: the products of masses and charges, and curves with their errors."""

import numpy as np
import pytest
from scenes import kinds_scene, scene_of, tracks_of

from symlib.tracks.baseline import KIND, fit_curves, unknown_numbers

SMALL = {"recordings": 6, "frames": 80, "bodies": 5}


def halves(name, **changes):
    train, test = tracks_of(name, **{**SMALL, **changes}).split(0.2)
    return scene_of(train), scene_of(test)


def middle(scene, count=50):
    """Distances that are seen often."""
    return np.quantile(scene.pairs()["r"], np.linspace(0.05, 0.95, count))


def test_gravity_is_told_from_all_other_products():
    scene, checked = halves("softened")
    curves = fit_curves(scene, checked)
    assert curves.factors == ("m2",)
    r = middle(scene)
    np.testing.assert_allclose(curves.curve(0, r), r / (r**2 + 0.1) ** 1.5, rtol=0.01)
    assert checked.loss(curves(checked)) < 0.01 * checked.trivial()


def test_a_law_of_masses_and_charges_has_two_curves():
    scene, checked = halves("charge and mass", recordings=8)
    curves = fit_curves(scene, checked)
    assert set(curves.factors) == {"m2", "q1*q2/m1"}
    r = middle(scene)
    for factor, sign in (("m2", 1), ("q1*q2/m1", -1)):
        curve = curves.curve(curves.factors.index(factor), r)
        np.testing.assert_allclose(curve, sign / (r + 0.2) ** 2, rtol=0.05, atol=0.01)


def test_kinds_have_a_curve_for_each_pair_of_kinds():
    laws = {("a", "a"): 1.0, ("a", "b"): -2.0, ("b", "a"): 0.5, ("b", "b"): 0.0}
    scene = kinds_scene(lambda to, by, r: laws[to, by] * np.exp(-r), 150)
    curves = fit_curves(scene, scene)
    r = middle(scene)
    for k, factor in enumerate(curves.factors):
        receiver, sender = factor.split("*")
        assert receiver.endswith("1") and sender.endswith("2")
        scale = laws[receiver[len(KIND)], sender[len(KIND)]]
        np.testing.assert_allclose(curves.curve(k, r), scale * np.exp(-r), atol=2e-3)
    assert len(curves.factors) == 4


def test_unknown_masses_are_found_up_to_their_gauge():
    case = {"recordings": 5, "frames": 120, "same_bodies": True}
    train, test = tracks_of("softened", **case).split(0.2)
    mass = train.mass
    known, checked = scene_of(train), scene_of(test)
    blind = [type(one)(one.frames, one.edges, {}, one.weight) for one in (known, checked)]
    found = unknown_numbers(*blind)
    assert found is not None and found.factors == ("m2",)
    truth = mass / np.exp(np.log(mass).mean())
    np.testing.assert_allclose(found.numbers["m"], truth, rtol=1e-3)


def test_where_all_bodies_are_alike_no_numbers_are_found():
    train, test = tracks_of("gaussian", **SMALL, same_bodies=True).split(0.2)
    assert unknown_numbers(scene_of(train), scene_of(test)) is None


@pytest.mark.parametrize("seed", [0, 1])
def test_curves_are_as_far_off_as_their_errors_say(seed):
    tracks = tracks_of("softened", recordings=5, frames=60, bodies=6)
    scene = scene_of(tracks, noise=0.2, seed=seed)
    curves = fit_curves(scene, scene_of(tracks))
    assert curves.factors == ("m2",)
    r = middle(scene, 20)
    pull = (curves.curve(0, r) - r / (r**2 + 0.1) ** 1.5) / curves.error(0, r)
    assert 0.5 < np.sqrt((pull**2).mean()) < 2
