"""Equations that might be the law, from the network and from the curves; and which of them is."""

from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from symlib import symbolic
from symlib.discovery.laws import search_of
from symlib.discovery.prepared import Prepared
from symlib.messages.force_law import (
    ForceEquation,
    Refit,
    Row,
    by_held_out,
    front,
    row,
    tidy,
)
from symlib.messages.radial import Radial
from symlib.messages.trajectories import by_trajectory, refit_trajectories
from symlib.symbolic.algebra.expressions import symbol
from symlib.symbolic.search import selection
from symlib.symbolic.search.radial import RadialForm, radial_forms
from symlib.tracks.baseline import Curves

SHAPES = 4  # forms of each complexity, of each of two curves, that are combined
REFITTED = 12  # equations whose constants are fitted along trajectories


def proposals(
    data, run, radial: Radial, curves: Curves, sizes, engine, seed, progress
) -> list[ForceEquation]:
    """Equations that the network's messages and the curves suggest."""
    search: dict[str, Any] = {"engine": engine, "seed": seed, "budget": search_of(sizes)}
    search["progress"] = progress
    found = symbolic.regress(radial.inputs, radial.along, list(radial.names), **search)
    pairs = [(found.sympy(k), "network") for k in range(len(found.equations_))]
    pairs += [(expr, "curves") for expr in _from_curves(data, curves)]
    if run.network.node_model is None:
        return [ForceEquation(pair, (), source) for pair, source in pairs]
    bodies = [_linear_body(data, curves)]
    parts = []
    for k in range(data.train.dim):
        heard = symbolic.regress(
            radial.body_inputs, radial.alone[:, k], radial.body_names, **search
        )
        parts.append(heard.sympy())
    bodies.append(tuple(parts))
    return [ForceEquation(pair, body, source) for pair, source in pairs for body in bodies]


def _from_curves(data: Prepared, curves: Curves) -> list[sp.Expr]:
    r = data.fitted.pairs()["r"]
    places = np.unique(np.quantile(r, np.linspace(0.002, 0.998, 200)))
    forms: list[list[RadialForm]] = []
    for k in range(len(curves.factors)):
        y, error = curves.curve(k, places), curves.error(k, places)
        # What splines cannot follow is an error as well.
        floor = 2e-4 * np.abs(y) + 1e-5 * np.abs(y).max()
        forms.append(radial_forms(places, y, np.hypot(error, floor)))
    factors = [_factor(text) for text in curves.factors]
    if len(forms) == 1:
        return [factors[0] * form.expression() for form in forms[0]]
    found = []
    # First the same shape for all factors, which is how most laws are built; then the best mixed.
    for form in forms[0]:
        alike = ([f for f in other if f.members == form.members] for other in forms[1:])
        same = [one[0] for one in alike if one]
        if len(same) == len(forms) - 1:
            shapes = zip(form.members, form.parts, strict=True)
            found.append(
                sp.Add(
                    *[
                        term.expression(form.c)
                        * sp.Add(
                            sp.Float(part) * factors[0],
                            *[
                                sp.Float(other.parts[k]) * factor
                                for other, factor in zip(same, factors[1:], strict=True)
                            ],
                        )
                        for k, (term, part) in enumerate(shapes)
                    ]
                )
            )
    few = [sorted(one, key=lambda f: f.misfit)[:SHAPES] + one[:SHAPES] for one in forms]
    for first in few[0]:
        for second in few[1]:
            rest = [sorted(one, key=lambda f: f.misfit)[0] for one in forms[2:]]
            members = [first, second, *rest]
            found.append(
                sp.Add(*[w * f.expression() for w, f in zip(factors, members, strict=True)])
            )
    return found


def _factor(text: str) -> sp.Expr:
    above, *below = text.split("/")
    value = sp.Mul(*[symbol(n) if n != "1" else sp.Integer(1) for n in above.split("*")])
    return value / sp.Mul(*[symbol(n) for n in below])


def _linear_body(data: Prepared, curves: Curves) -> tuple[sp.Expr, ...]:
    """The baseline's one-body part without what is too small to matter."""
    assert curves.body is not None
    axes = "xyz"[: data.train.dim]
    names = [*axes, *(f"v{axis}" for axis in axes)]
    seen = data.train.bodies()
    sizes = np.array([1.0, *(np.abs(seen[name]).mean() for name in names)])
    total = np.abs(data.train.frames.acceleration).mean()
    parts = []
    for column in curves.body.T:
        terms = [
            sp.Float(float(k)) * (symbol(name) if name else 1)
            for k, name, size in zip(column, ["", *names], sizes, strict=True)
            if abs(k) * size > 0.01 * total
        ]
        parts.append(sp.Add(*terms))
    return tuple(parts)


def judged(data: Prepared, proposed: list[ForceEquation], numbers) -> list[Row]:
    """Rows with constants fitted on training tracks; a front, if accelerations are what counts."""
    fit, quick = Refit(data.train), Refit(data.train, rows=1500)
    unique = {(str(law.pair), str(law.body)): law for law in map(tidy, proposed)}
    rough = []
    for law in unique.values():
        law = quick(replace(law, numbers=numbers), evaluations=20, free=False)
        rough.append((law.complexity, quick.scene.loss(law(quick.scene)), law))
    rough.sort(key=lambda one: one[:2])
    # Biased accelerations favour the wrong law a little; trajectories are to have the choice.
    margin = 1.3 if data.segments is None else 2.0
    kept, best, same = [], np.inf, 0
    for k, (level, loss, law) in enumerate(rough):
        same = same + 1 if k and rough[k - 1][0] == level else 0
        if loss < margin * best and (data.segments is None or same < SHAPES):
            kept.append(law)
        best = min(best, loss)
    rows = [row(tidy(fit(law)), data.train, data.test) for law in kept]
    return front(rows) if data.segments is None else rows


def along_trajectories(data: Prepared, rows: list[Row]) -> list[Row]:
    """A front by what follows the recorded positions."""
    assert data.segments is not None
    train, test = data.segments
    numbers = data.train.numbers
    rough = [by_trajectory(one, train, test, numbers) for one in rows]
    rough.sort(key=lambda one: (one.law.complexity, one.fitted))
    kept, best = [], np.inf
    for one in rough:
        if one.fitted < 1 + 1.5 * (best - 1):
            kept.append(one)
        best = min(best, one.fitted)
    fitted = []
    for one in sorted(kept, key=lambda one: one.fitted)[:REFITTED]:
        law, _ = refit_trajectories(one.law, train, numbers)
        fitted.append(by_trajectory(row(tidy(law), data.train, data.test), train, test, numbers))
    return front([*kept, *fitted])


def chosen(rows: list[Row], rule: str, data: Prepared) -> int:
    if rule == "held-out":
        return by_held_out(rows, data.test.trivial())
    return selection.select([one.law.complexity for one in rows], [one.fitted for one in rows])
