"""ForceLaw: scikit-learn's manners, and a law that is found, predicted and simulated from."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator

import symlib
from symlib.errors import InputError
from symlib.messages.force_law import ForceEquation
from symlib.symbolic.algebra.parsing import parse_equation
from symlib.tracks.recordings import Recording, Tracks
from symlib.tracks.scales import Scales

LENGTH, TIME = 1e3, 1e-2  # the user's units of one

# What scikit-learn checks by fitting, or predicting from, a plain table of samples by features. A
# law is found in tracks, and such a table is refused in one line.
TABLES = [
    "check_fit_score_takes_y",
    "check_estimators_overwrite_params",
    "check_dont_overwrite_parameters",
    "check_estimators_fit_returns_self",
    "check_readonly_memmap_input",
    "check_n_features_in_after_fitting",
    "check_positive_only_tag_during_fit",
    "check_estimators_dtypes",
    "check_complex_data",
    "check_dtype_object",
    "check_estimators_empty_data_messages",
    "check_pipeline_consistency",
    "check_estimators_nan_inf",
    "check_estimator_sparse_tag",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_regressors_train",
    "check_regressor_data_not_an_array",
    "check_regressors_no_decision_function",
    "check_supervised_y_2d",
    "check_regressors_int",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_fit2d_1sample",
    "check_fit2d_1feature",
    "check_dict_unchanged",
    "check_fit_idempotent",
    "check_fit_check_is_fitted",
    "check_n_features_in",
    "check_fit2d_predict1d",
]


class OnTables(symlib.ForceLaw):
    """Says that it takes tables, or scikit-learn would check nothing but that it can be cloned."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


@pytest.mark.filterwarnings("ignore:Can't test estimator")
def test_scikit_learn_finds_nothing_wrong_with_it():
    check_estimator(symlib.ForceLaw())


def test_what_scikit_learn_checks_without_a_fitted_table_passes():
    expected = {name: "fits a table of samples by features" for name in TABLES}
    done = check_estimator(OnTables(), expected_failed_checks=expected, on_skip=None)
    names = {
        status: {one["check_name"] for one in done if one["status"] == status}
        for status in ("xfail", "passed")
    }
    assert names["xfail"] == set(TABLES)  # none is excused that would pass
    passed = names["passed"]
    assert {"check_no_attributes_set_in_init", "check_set_params", "check_estimator_repr"} <= passed


def test_arguments_are_checked_by_fit():
    wrong = clone(symlib.ForceLaw(select="nicest"))
    with pytest.raises(InputError, match="nicest"):
        wrong.fit("tracks.npz")
    with pytest.raises(NotFittedError):
        wrong.latex()


def pull(x):
    """A spring of rest length 1.5, shape [..., bodies, 2]."""
    away = x[..., None, :, :] - x[..., :, None, :]
    r = np.sqrt((away**2).sum(axis=-1, keepdims=True))
    return (3 * (r - 1.5) * away / np.where(r > 0, r, 1)).sum(axis=-2)


def orbit(bodies, frames, dt, seed):
    rng = np.random.default_rng(seed)
    start = np.stack([rng.normal(size=(bodies, 2)), 0.5 * rng.normal(size=(bodies, 2))])

    def slope(_, state):
        x, v = state.reshape(start.shape)
        return np.concatenate([v, pull(x)]).ravel()

    times = dt * np.arange(frames)
    solved = solve_ivp(
        slope, (0, times[-1]), start.ravel(), "DOP853", times, rtol=1e-11, atol=1e-11
    )
    states = solved.y.T.reshape(-1, *start.shape)
    return states[:, 0], states[:, 1]


@pytest.fixture(scope="module")
def spring(tmp_path_factory):
    """A law fitted to a file in units of 1e3 lengths and 1e-2 times, and that file."""
    path = tmp_path_factory.mktemp("spring") / "tracks.npz"
    x, v = orbit(3, 120, 0.05, 0)
    np.savez(
        path,
        positions=LENGTH * x,
        velocities=LENGTH / TIME * v,
        accelerations=LENGTH / TIME**2 * pull(x),
        dt=0.05 * TIME,
    )
    return symlib.ForceLaw(preset="smoke", engine="operon").fit(path), path


@pytest.mark.slow
def test_a_fitted_law_predicts_in_the_units_of_its_tracks(spring):
    found, path = spring
    x, _ = orbit(4, 50, 0.05, 5)
    true = LENGTH / TIME**2 * pull(x)
    assert np.abs(found.predict(LENGTH * x) - true).max() < 1e-3 * np.abs(true).max()
    assert found.score(path) > 0.999
    (of_file,) = found.predict(path)
    assert of_file.shape == (120, 3, 2)


@pytest.mark.slow
def test_a_fitted_law_moves_bodies_as_the_true_one_does(spring):
    found, _ = spring
    x, v = orbit(3, 100, 0.02, 7)
    places, speeds = found.simulate(LENGTH * x[0], LENGTH / TIME * v[0], 0.02 * TIME, 100)
    assert np.abs(places / LENGTH - x).max() < 1e-4
    assert np.abs(speeds * TIME / LENGTH - v).max() < 1e-4


@pytest.mark.slow
def test_a_fitted_law_tells_its_front(spring):
    found, _ = spring
    (picked,) = found.equations_[found.equations_["picked"]].index
    assert picked == found.best_
    row = found.equations_.loc[found.best_]
    assert row["equation"] == found.equation_ and row["held_out"] >= 0
    assert "r_{ij}" in found.latex() and found.scalars_.empty
    with pytest.raises(InputError, match=r"index: there are \d+ equations, got 99"):
        found.latex(99)


def fitted(pair, body=(), numbers=None, kind=None, neighbours=None):
    """As if fitted on two bodies, a and b, of masses 2 and 6; inside, lengths are of 10, times
    of 2 and masses of 4."""
    names = ["r", "m1", "m2", "x", "vx", "vy", "is_dot1", "is_dot2"]
    law = ForceEquation(
        parse_equation(pair, names),
        tuple(parse_equation(part, names) for part in body),
        numbers=numbers or {},
    )
    still = np.zeros((9, 2, 2))
    one = Recording(1.0, np.arange(2), still, still, still)
    known = np.array([2.0, 6.0]) if numbers is None else np.full(2, np.nan)
    found = symlib.ForceLaw()
    found.discovery_ = SimpleNamespace(
        law=law,
        tracks=Tracks((one,), ("a", "b"), known, np.full(2, np.nan), kind),
        scales=Scales(10.0, 2.0, 4.0 if numbers is None else 1.0, 1.0),
        record={"neighbours": neighbours},
    )
    return found


APART = np.array([[0.0, 0.0], [5.0, 0.0]])


def test_masses_are_the_fitted_ones_unless_others_are_given():
    found = fitted("m2*r")
    # Inside r is 0.5 and m 0.5 and 1.5; an acceleration of one is 10 / 2².
    assert found.predict(APART) == pytest.approx(np.array([[1.875, 0], [-0.625, 0]]))
    given = {"positions": APART[None], "masses": [8.0, 4.0]}
    assert found.predict(given) == pytest.approx(np.array([[[1.25, 0], [-2.5, 0]]]))
    with pytest.raises(InputError, match="masses: the law needs them"):
        found.predict(np.zeros((3, 2)))
    with pytest.raises(InputError, match=r"masses: shape \[2\]"):
        found.predict(APART, masses=[1.0, 2.0, 3.0])


def test_numbers_that_were_found_belong_to_their_tracks():
    found = fitted("m2*r", numbers={"m": np.array([0.5, 1.5])})
    assert found.predict(APART) == pytest.approx(np.array([[1.875, 0], [-0.625, 0]]))
    unknown = np.full(2, np.nan)

    def seen(*names):
        return Tracks((Recording(1.0, np.arange(2), APART[None]),), names, unknown, unknown)

    (turned,) = found.predict(seen("b", "a"))
    assert turned[0] == pytest.approx(np.array([[0.625, 0], [-1.875, 0]]))
    with pytest.raises(InputError, match="c is none of them"):
        found.predict(seen("a", "c"))


def test_a_body_alone_needs_its_velocity():
    found = fitted("r", ["-0.4*vx", "0.2*vy"])
    still = found.predict(APART, velocities=np.zeros((2, 2)))
    moving = found.predict(APART, velocities=[[1.0, 0.0], [0.0, 1.0]])
    # A rate of 0.4 in a time of 2 is one of 0.2.
    assert moving - still == pytest.approx(np.array([[-0.2, 0], [0, 0.1]]))
    with pytest.raises(InputError, match="velocities: the law needs them"):
        found.predict(APART)


def test_kinds_are_known_by_name():
    found = fitted("is_dot2*r", kind=("dot", "ring"))
    assert found.predict(APART) == pytest.approx(np.array([[0, 0], [-1.25, 0]]))
    assert found.predict(APART, kinds="dot") == pytest.approx(np.array([[1.25, 0], [-1.25, 0]]))
    with pytest.raises(InputError, match="kinds: 'disc' was not fitted; known are dot, ring"):
        found.predict(APART, kinds=["dot", "disc"])


def test_a_body_that_is_not_there_or_far_away_does_not_pull():
    states = np.array([[0.0, 0], [5, 0], [np.nan, np.nan]])
    found = fitted("r").predict(states)
    assert found[:2] == pytest.approx(np.array([[1.25, 0], [-1.25, 0]]))
    assert np.isnan(found[2]).all()
    assert fitted("r", neighbours=4.0).predict(APART) == pytest.approx(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("positions", "dt", "steps", "said"),
    [
        (APART[None], 0.1, 5, "positions, velocities"),
        (APART, 0.0, 5, "dt"),
        (APART, 0.1, 0, "steps"),
    ],
)
def test_what_cannot_be_simulated_is_refused(positions, dt, steps, said):
    with pytest.raises(InputError, match=f"^{said}:"):
        fitted("r").simulate(positions, np.zeros((2, 2)), dt, steps)
