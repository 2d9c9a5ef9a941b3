"""What is told of a discovery from tracks: its record, in the user's units, and its summary."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import sympy as sp

from symlib.discovery.prepared import Prepared
from symlib.messages.force_law import ForceEquation, Refit, Row
from symlib.messages.trajectories import refit_trajectories
from symlib.symbolic.algebra.complexity import complexity
from symlib.symbolic.algebra.dimensions import (
    CHARGE,
    LENGTH,
    MASS,
    NUMBER,
    Dimension,
    constant_units,
    in_user_units,
)
from symlib.symbolic.algebra.expressions import form_of
from symlib.symbolic.algebra.parsing import equation_text
from symlib.symbolic.search import selection
from symlib.symbolic.search.selection import scores
from symlib.tracks.baseline import KIND
from symlib.tracks.recordings import Frames, Tracks
from symlib.tracks.scales import Scales

LOUD, MUTE = 0.1, 0.5  # shares of the trivial loss: below, learned; above, not


def in_user_units_of(law: ForceEquation, scales: Scales) -> ForceEquation:
    """The law in the user's units."""

    def rewritten(expr):
        names = sorted(str(one) for one in expr.free_symbols)
        sizes = {name: scales.of(name) for name in names if not name.startswith(KIND)}
        return in_user_units(expr, sizes, scales.acceleration)

    return replace(law, pair=rewritten(law.pair), body=tuple(rewritten(part) for part in law.body))


def facts(data, law, rows, best, radial, curves, run, hints, rule) -> dict:
    scales, test = data.scales, data.test
    user = in_user_units_of(law, scales)
    unit = scales.acceleration
    network = radial.predict(run.network, test)
    equation = law(test)
    losses = {
        "network": test.loss(network) * unit,
        "equation": test.loss(equation) * unit,
        "baseline": test.loss(curves(test)) * unit,
        "trivial": test.trivial() * unit,
    }
    a = test.frames.acceleration
    explained = 1 - ((equation - a) ** 2).sum() / ((a - a.mean(axis=0)) ** 2).sum()
    share = losses["equation"] / losses["trivial"]
    levels = [one.law.complexity for one in rows]
    marks = scores(levels, [one.fitted for one in rows])
    held_out_best = min(rows, key=lambda one: one.measure)
    paper = selection.select(levels, [one.fitted for one in rows])
    tracks = data.tracks
    return {
        "law": equation_text(user.pair),
        "one_body": [equation_text(part) for part in user.body],
        "equations": _equations(user, law, data),
        "front": [
            {
                "complexity": one.law.complexity,
                "loss": one.loss * unit,
                "held_out": one.held_out * unit,
                "trajectory": one.trajectory,
                "score": float(score),
                "equation": equation_text(in_user_units_of(one.law, scales).pair),
                "one_body": [equation_text(p) for p in in_user_units_of(one.law, scales).body],
                "source": one.law.source,
            }
            for one, score in zip(rows, marks, strict=True)
        ],
        "best": best,
        "best_held_out": rows.index(held_out_best),
        "best_paper": paper,
        "selected_by": rule,
        "compared_by": "acceleration" if data.segments is None else "trajectory",
        "loss": losses,
        "explained": float(explained),
        "learned": _word(share, explained),
        "baseline_factors": list(curves.factors),
        "radial": radial.table(law, curves, data.train, scales),
        "off_line": radial.off_line,
        "non_reciprocal": radial.non_reciprocal,
        "units": {
            name: tracks.units.get(name, "arbitrary")
            for name in ("length", "time", "mass", "charge")
        },
        "scales": {n: getattr(scales, n) for n in ("length", "time", "mass", "charge")},
        "windows": _windows(tracks, data.test.frames),
        "left_out": list(tracks.left_out),
        "noise": dict(tracks.noise),
        "hints": hints,
        "gauge": _gauge(law),
    }


def _word(share: float, explained: float) -> str:
    """Whether anything was learned; noise alone may leave a large share of the trivial loss."""
    if share < LOUD or explained > 1 - LOUD:
        return "learned"
    return "hardly" if share < MUTE else "not"


def _windows(tracks: Tracks, test: Frames) -> dict:
    lengths = [end - first for one in tracks.recordings for first, end in one.windows()]
    return {
        "recordings": len(tracks),
        "count": len(lengths),
        "frames": int(sum(lengths)),
        "longest": int(max(lengths)),
        "held_out_frames": len(test),
        "bodies": len(tracks.names),
    }


def _equations(user: ForceEquation, law: ForceEquation, data: Prepared) -> list[dict]:
    """Each part with its constants, their errors and their units."""
    spread: list[np.ndarray | None]
    if data.segments is None:
        spread = [*Refit(data.train, scales=data.scales).errors(user)]
    else:
        spread = _trajectory_errors(user, law, data)
    units = {k: v for k, v in data.tracks.units.items() if v != "arbitrary"}
    found = []
    names = ["pair", *"xyz"[: len(law.body)]]
    for name, own, mine, errors in zip(
        names, (user.pair, *user.body), (law.pair, *law.body), spread, strict=True
    ):
        found.append(
            {
                "part": name,
                "equation": equation_text(own),
                "complexity": complexity(mine),
                "constants": form_of(own).values.tolist(),
                "errors": None if errors is None else errors.tolist(),
                "units": _constant_units(own, units, user.numbers),
            }
        )
    return found


def _trajectory_errors(user, law, data: Prepared) -> list[np.ndarray | None]:
    """Of the user's constants, as long as units merged none of them."""
    assert data.segments is not None
    errors = refit_trajectories(law, data.segments[0], data.train.numbers, 0)[1]
    found: list[np.ndarray | None] = []
    for own, mine in zip((user.pair, *user.body), (law.pair, *law.body), strict=True):
        inside, outside = form_of(mine).values, form_of(own).values
        share, errors = np.split(errors, [len(inside)])
        share = share / np.maximum(np.abs(inside), 1e-300)
        found.append(share * np.abs(outside) if len(inside) == len(outside) else None)
    return found


def _constant_units(
    expr: sp.Expr, units: Mapping[str, str], numbers: Mapping[str, np.ndarray]
) -> list[str] | None:
    """The unit of each constant; None where the file's units are not told or do not fit."""
    dimensions = {str(one): _dimension(str(one), numbers) for one in expr.free_symbols}
    needed = {"length", "time"}
    needed |= {"mass" for one in dimensions.values() if one == MASS}
    needed |= {"charge" for one in dimensions.values() if one == CHARGE}
    if not needed <= set(units):
        return None
    found = constant_units(expr, dimensions, Dimension(1, -2), units)
    return None if found is None else [unit for _, unit in found]


def _dimension(name: str, numbers: Mapping[str, np.ndarray]) -> Dimension:
    # What was found along is known up to a factor, which the law's constants take up.
    if name.startswith(KIND) or name[:1] in numbers:
        return NUMBER
    if name[0] in "mq":
        return MASS if name[0] == "m" else CHARGE
    return Dimension(1, -1) if name[0] == "v" else LENGTH


def scalars(data: Prepared, laws: list[ForceEquation]) -> dict[str, dict]:
    """The numbers that were found, by track: of the first seed, and their spread over seeds."""
    found: dict[str, dict] = {}
    for name in laws[0].numbers:
        values = np.stack([law.numbers[name] for law in laws if name in law.numbers])
        word = {"m": "mass", "q": "charge"}[name]
        for k, track in enumerate(data.tracks.names):
            found.setdefault(track, {})[word] = float(values[0, k])
            found[track][f"{word}_spread"] = float(values[:, k].std())
    return found


def _gauge(law: ForceEquation) -> str:
    if not law.numbers:
        return ""
    return (
        "masses and charges that were found are known up to one factor each, which the law's "
        "constants take up: here the mean of the masses' logarithms is zero"
    )


def short(data: Prepared, rows: list[Row], best: int) -> dict:
    law = in_user_units_of(rows[best].law, data.scales)
    return {
        "law": equation_text(law.pair),
        "one_body": [equation_text(part) for part in law.body],
        "complexity": rows[best].law.complexity,
        "held_out": rows[best].held_out * data.scales.acceleration,
    }


def summary(record: dict) -> str:
    """A discovery from tracks in a few lines."""
    loss, windows = record["loss"], record["windows"]
    text = [
        f"{windows['frames']} frames of {windows['bodies']} tracks in {windows['count']} windows; "
        f"{windows['held_out_frames']} frames held out; {record['seconds']:.0f} s",
    ]
    text += [f"  left out    {one}" for one in record["left_out"]]
    text += [
        f"  loss        network {loss['network']:.3g}, equation {loss['equation']:.3g}, baseline "
        f"{loss['baseline']:.3g}, knowing nothing {loss['trivial']:.3g}: {record['learned']} "
        f"({100 * record['explained']:.1f}% of the variance explained)",
        "  law         a_i = Σ_j f r̂_ij"
        + (" + g(x_i, v_i)" if record["one_body"] else "")
        + ", r̂ from i to j",
    ]
    for one in record["equations"]:
        head = "f" if one["part"] == "pair" else f"g_{one['part']}"
        text.append(f"              {head} = {one['equation']}")
        for k, value in enumerate(one["constants"]):
            error = f" ± {one['errors'][k]:.2g}" if one["errors"] else ""
            unit = f" {one['units'][k]}" if one["units"] and one["units"][k] else ""
            text.append(f"                  {value:.6g}{error}{unit}")
    text.append(
        f"  direction   {100 * record['off_line']:.1f}% of a message lies off the line"
        + (
            ""
            if record["non_reciprocal"] is None
            else f"; {100 * record['non_reciprocal']:.1f}% of a force is not reciprocal"
        )
    )
    by = record["compared_by"]
    what = "loss held out" if by == "acceleration" else "residual² held out in units of the noise"
    text.append(f"  front       complexity, {what}, equation (* selected)")
    for k in _shown(record):
        one = record["front"][k]
        star = "*" if k == record["best"] else " "
        value = one["held_out" if by == "acceleration" else "trajectory"]
        text.append(f"            {star} {one['complexity']:>3}  {value:.4g}  {one['equation']}")
    if record["best_paper"] != record["best"]:
        other = record["front"][record["best_paper"]]
        text.append(f"              the paper's rule takes complexity {other['complexity']}")
    for track, numbers in list(record["scalars"].items())[:12]:
        said = ", ".join(f"{k} {v:.4g}" for k, v in numbers.items() if not k.endswith("spread"))
        text.append(f"  body {track:<6} {said}")
    text += [f"  hint        {one}" for one in record["hints"]]
    return "\n".join(text)


def _shown(record: dict) -> list[int]:
    """Three to five rows: the selected, the best, the paper's, and the selected's neighbours."""
    wanted = [record["best"], record["best_held_out"], record["best_paper"]]
    wanted += [record["best"] - 1, record["best"] + 1]
    rows = dict.fromkeys(k for k in wanted if 0 <= k < len(record["front"]))
    return sorted(list(rows)[:5])
