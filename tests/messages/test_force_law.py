"""Laws of pairs as equations: constants fitted again, and which row of a front is the answer."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import scene_of, tracks_of

from symlib.messages.force_law import ForceEquation, Refit, Row, by_held_out, front, row
from symlib.symbolic.algebra.expressions import form_of
from symlib.symbolic.algebra.parsing import parse_equation


def law_of(text, *body):
    names = ["r", "m1", "m2", "x", "y", "vx", "vy"]
    return ForceEquation(parse_equation(text, names), tuple(parse_equation(b, names) for b in body))


@pytest.fixture(scope="module")
def tracks():
    return tracks_of("softened", recordings=5, frames=80, bodies=5)


def test_constants_are_found_from_afar(tracks):
    scene = scene_of(tracks)
    law = Refit(scene)(law_of("1.6*m2*r/(r**2 + 0.2)**1.5"))
    np.testing.assert_allclose(np.sort(form_of(law.pair).values), [0.1, 1.0], rtol=1e-3)
    assert scene.loss(law(scene)) < 1e-3 * scene.trivial()


def test_constants_of_single_bodies_are_found_along():
    scene = scene_of(tracks_of("trap and drag", recordings=5, frames=80, bodies=5))
    start = law_of("0.8*m2*r/(r**2 + 0.2)**1.5", "-0.3*x - 0.2*vx", "-0.3*y - 0.2*vy")
    law = Refit(scene)(start)
    for part in law.body:
        np.testing.assert_allclose(np.sort(form_of(part).values), [-0.5, -0.1], rtol=2e-3)


def test_numbers_of_bodies_are_found_along_up_to_their_gauge():
    tracks = tracks_of("softened", recordings=5, frames=80, bodies=5, same_bodies=True)
    scene, truth = scene_of(tracks), tracks.mass / np.exp(np.log(tracks.mass).mean())
    near = truth * np.exp(0.2 * np.random.default_rng(0).normal(size=len(truth)))
    start = replace(law_of("1.2*m2*r/(r**2 + 0.15)**1.5"), numbers={"m": near})
    law = Refit(scene)(start)
    np.testing.assert_allclose(law.numbers["m"], truth, rtol=1e-3)


def test_a_bootstrap_says_how_far_off_constants_are(tracks):
    pulls = []
    for seed in range(4):
        refit = Refit(scene_of(tracks, noise=0.3, seed=seed))
        law = refit(law_of("m2*r/(r**2 + 0.1)**1.5*1.0001"))
        order = np.argsort(form_of(law.pair).values)
        values, errors = form_of(law.pair).values[order], refit.errors(law)[0][order]
        pulls.append((values - [0.1, 1.0]) / errors)
    assert 0.4 < np.sqrt(np.mean(np.square(pulls))) < 2


def test_a_front_holds_what_no_simpler_row_beats(tracks):
    scene = scene_of(tracks)
    texts = ["0.5*m2", "0.5*m2/r", "0.1*m2*r**2", "m2*r/(r**2 + 0.1)**1.5*1.0001"]
    kept = front([row(law_of(text), scene, scene) for text in reversed(texts)])
    measures = [one.measure for one in kept]
    assert measures == sorted(measures, reverse=True)
    levels = [one.law.complexity for one in kept]
    assert levels == sorted(set(levels))
    assert kept[-1].measure < 1e-3


def rows_of(*blocks, trajectory=False):
    """Rows of a front by their errors in each stretch."""
    found = []
    for one in blocks:
        mean = float(np.mean(one))
        also = {"trajectory": mean, "fitted_trajectory": mean} if trajectory else {}
        blocks = np.array(one, dtype=float)
        found.append(Row(law_of("m2"), mean, mean, blocks, blocks, **also))
    return found


NOISE = np.array([0.1, -0.1] * 10)


@pytest.mark.parametrize("trajectory", [False, True])
def test_the_simplest_that_is_as_good_as_the_best_is_chosen(trajectory):
    # The second is worse than the best by less than two standard errors, the first by more.
    rows = rows_of(2 + 0 * NOISE, 1.02 + NOISE, 1 - NOISE, trajectory=trajectory)
    assert by_held_out(rows, 10.0) == 1
    rows = rows_of(2 + 0 * NOISE, 1.2 + NOISE, 1 - NOISE, trajectory=trajectory)
    assert by_held_out(rows, 10.0) == 2


def test_of_accelerations_two_percent_are_no_difference_and_a_fifth_is_one():
    still, wild = 0 * NOISE, 100 * NOISE
    assert by_held_out(rows_of(1.015 + still, 1 + still), 1.0) == 0
    assert by_held_out(rows_of(1.03 + still, 1 + still), 1.0) == 1
    # One close encounter can make a standard error of any size.
    assert by_held_out(rows_of(1.3 + wild, 1 - wild), 1.0) == 1
    # What is tiny beside the trivial error is no difference either.
    assert by_held_out(rows_of(5e-5 + still, 1e-6 + still), 1.0) == 0
    assert by_held_out(rows_of(1.015 + still, 1 + still, trajectory=True), 1.0) == 1


def test_along_trajectories_further_constants_must_earn_their_keep():
    still = 0 * NOISE

    def chosen(better, count):
        rows = rows_of(1 + still, 1 - better + still, trajectory=True)
        laws = [law_of("2.5*m2"), law_of("2.5*m2 + 1.5*r")]
        found = [
            replace(one, law=law, counts=(count, count))
            for one, law in zip(rows, laws, strict=True)
        ]
        return by_held_out(found, 1.0)

    # One constant more, ln N / N of N residuals: 0.0069 of a thousand.
    assert chosen(0.006, 1000) == 0 and chosen(0.008, 1000) == 1
    assert chosen(0.006, 10_000) == 1
