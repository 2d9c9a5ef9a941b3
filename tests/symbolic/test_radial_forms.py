"""Short radial forms: each kind is found from its own curve."""

import numpy as np
import pytest

from symlib.symbolic.algebra.expressions import compile_expression, symbol
from symlib.symbolic.search.radial import Term, radial_forms

R = np.linspace(0.15, 3, 60)


def found(y, noise=1e-3, seed=0):
    error = noise * np.abs(y) + 1e-4 * np.abs(y).max()
    drawn = np.random.default_rng(seed).normal(size=len(y))
    return radial_forms(R, y + error * drawn, error)


@pytest.mark.parametrize(
    ("members", "parts", "c"),
    [
        ((Term("power", -2),), (1.5,), 1.0),
        ((Term("shifted", 0, -3), Term("shifted", 0, -5)), (2.0, -4.0), 0.3),
        ((Term("softened", 1, -1.5),), (1.0,), 0.1),
        ((Term("exp", 0),), (-4.0,), 3.0),
        ((Term("gauss", 1),), (6.0,), 1.0),
    ],
    ids=["power", "shifted", "softened", "exp", "gauss"],
)
def test_a_form_is_found_from_its_own_curve(members, parts, c):
    y = sum(k * term.values(R, c) for k, term in zip(parts, members, strict=True))
    forms = found(y)
    # The simplest that follows the curve as closely as its errors allow is the truth.
    first = next(form for form in forms if form.misfit < 1.3)
    assert set(first.members) == set(members)
    order = [first.members.index(term) for term in members]
    np.testing.assert_allclose([first.parts[k] for k in order], parts, rtol=0.03)
    if any(term.kind != "power" for term in members):
        assert first.c == pytest.approx(c, rel=0.03)
    values = compile_expression(first.expression(), {symbol("r"): 0})([R])
    np.testing.assert_allclose(values, y, rtol=0.01, atol=1e-3 * np.abs(y).max())
