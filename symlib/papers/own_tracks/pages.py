"""Tables of the chapter on tracks of one's own, made from records."""

from pathlib import Path

import numpy as np

from symlib.book.markdown import EMPTY, code, digits, table
from symlib.choices import RANK
from symlib.errors import InputError
from symlib.papers.own_tracks.cases import CASES
from symlib.papers.own_tracks.study import TracksCase
from symlib.records.reading import RESULTS, read_records
from symlib.records.record import read_record
from symlib.records.study import FRESH

SEEDS = 3
MISSING = "not on record"
NOISE = {"positions only": 0.0, "noise 0.1%": 1e-3, "noise 1%": 1e-2, "noise 5%": 5e-2}
WORDS = {
    "softened": "velocities, accelerations, masses",
    "other units": "the same in other units of length, time and mass",
    "positions only": "positions and masses",
    "noise 0.1%": "positions with noise, masses",
    "noise 1%": "positions with noise, masses",
    "noise 5%": "positions with noise, masses",
    "unknown masses": "no masses",
    "charge and mass": "charges and masses",
    "one video": "20,000 frames, noise of 0.1%, a twentieth of the samples lost",
    "crowd": "200 bodies, neighbours within 2",
}


def read_cases(
    folder: Path | None = None, preset: str = "laptop"
) -> tuple[dict[str, list[dict]], list[str]]:
    """Records of the cases by name, a seed each; and a line for each file that is none.

    Args:
        folder: with own_tracks/ in it; book/results when None.
    """
    found, problems = read_records(folder or RESULTS, f"own_tracks/{preset}/*.json", "tracks_case")
    cases: dict[str, list[dict]] = {name: [] for name in CASES}
    for record in found.values():
        if record["case"] in cases:
            cases[record["case"]].append(record)
    return {k: sorted(v, key=lambda one: one["seed"]) for k, v in cases.items()}, problems


def done(records: list[dict]) -> list[dict]:
    """Those that did not fail."""
    return [one for one in records if "failed" not in one]


def reached(records: list[dict]) -> str:
    """Of how many seeds the answer is the law, or another row of the front is."""
    good = done(records)
    whole = sum(one["recovered"] for one in good)
    near = sum(not one["recovered"] and one["front_recovered"] is not None for one in good)
    text = f"{whole} of {len(records)}"
    return text + (f", and {near} in the front" if near else "")


def error(records: list[dict]) -> str:
    """Median relative error of the selected equation's radial force, of each seed.

    Where masses were found, or a part of each body's own, the largest errors of these as well.
    """
    good = done(records)
    parts = [", ".join(percent(one["radial_error"]["median"]) for one in good) or EMPTY]
    for name, key in (("masses", "scalar_error"), ("on each body", "body_error")):
        told = [percent(one[key]) for one in good if one.get(key) is not None]
        parts += [f"{name} {', '.join(told)}"] if told else []
    return "; ".join(parts)


def percent(share: float) -> str:
    """A share in percent."""
    return "0%" if share < 5e-7 else f"{100 * share:.2g}%"


def mark(records: list[dict]) -> str:
    """A dagger where a record is not of today's code."""
    old = [
        TracksCase(one["case"], one["preset"], one["seed"]).standing(one) != FRESH
        for one in records
    ]
    return "\u00a0†" if any(old) else ""


def cases_table(cases: dict[str, list[dict]]) -> str:
    """Every case: what acts, what is seen, and what came out over the seeds on record."""
    rows = []
    for name, case in CASES.items():
        law = code(case.law) + (f" and {code(case.body_law)}" if case.body_law else "")
        seen = WORDS.get(name, "velocities, accelerations")
        records = cases[name]
        if not records:
            rows.append([name, law, seen, MISSING, *[EMPTY] * 3])
            continue
        good = done(records)
        seconds = digits(np.median([one["walk_seconds"] for one in good]), 2) if good else EMPTY
        memory = f"{max(one['peak_memory_gb'] for one in good):.1f}" if good else EMPTY
        rows.append(
            [name, law, seen, reached(records) + mark(records), error(records), seconds, memory]
        )
    heads = ["case", "goal: this law", "the table has", "reached", "error of the force"]
    return table([*heads, "time (s)", "memory (GB)"], rows)


def smoothers_table(folder: Path | None = None) -> str:
    """Errors of accelerations by our smoother and by others (`tests/tracks/compare_smoothers.py`).

    Root mean squares over the true accelerations' own, of two worlds, by the noise of positions.
    """
    try:
        record = read_record((folder or RESULTS) / "own_tracks" / "smoothing.json")
    except InputError:
        return f"*{MISSING}*"
    found = {(one["smoother"], one["data"], one["noise"]): one for one in record["results"]}
    names = dict.fromkeys(one["smoother"] for one in record["results"])
    columns = [(data, noise) for data in record["dt"] for noise in (0.001, 0.01, 0.05)]
    rows = []
    for name in names:
        cells = [found.get((name, *column)) for column in columns]
        tried = max(one["tried"] for one in cells if one)
        how = "chosen from the data" if tried == 1 else f"best of {tried}, by the truth"
        how = "noise given" if "UnivariateSpline" in name else how
        rows.append([name, how, *(digits(one["rms"], 2) if one else EMPTY for one in cells)])
    heads = [f"{data}, {100 * noise:g}%" for data, noise in columns]
    return table(["smoother", "setting", *heads], rows)


def noise_table(cases: dict[str, list[dict]]) -> str:
    """Noise of the positions against what is found of one law."""
    rows = []
    for name, noise in NOISE.items():
        records = cases[name]
        good = done(records)
        if not good:
            rows.append([f"{100 * noise:g}%", *[MISSING] * 4])
            continue
        known = [one["noise"]["acceleration"] / one["noise"]["acceleration_spread"] for one in good]
        rows.append(
            [
                f"{100 * noise:g}%",
                percent(float(np.median(known))),
                reached(records) + mark(records),
                error(records),
                code(good[0]["law"]),
            ]
        )
    heads = ["noise", "accelerations known to", "reached", "error of the force"]
    return table([*heads, f"selected (seed {_first(cases)})"], rows)


def _first(cases: dict[str, list[dict]]) -> int:
    seeds = [one["seed"] for name in NOISE for one in done(cases[name])]
    return min(seeds, default=0)


def front_table(record: dict, rows: list[int]) -> str:
    """Some rows of a front, the selected one in bold."""
    lines = []
    for k in rows:
        one = record["front"][k]
        held = one["held_out"] if one["trajectory"] is None else one["trajectory"]
        texts = [str(one["complexity"]), f"{held:.4g}", code(one["equation"])]
        if one["one_body"]:
            texts.append(", ".join(code(part) for part in one["one_body"]))
        bold = "**" if k == record["best"] else ""
        lines.append([f"{bold}{text}{bold}" for text in texts])
    what = {
        "acceleration": "error of the acceleration",
        "trajectory": "residual², in units of the noise",
    }
    heads = ["complexity", f"{what[record['compared_by']]}, held out", "between bodies"]
    return table([*heads, *["on each body"] * bool(record["one_body"])], lines)


def constants_table(record: dict) -> str:
    """The law's constants with their errors and units."""
    rows = []
    for part in record["equations"]:
        name = "between bodies" if part["part"] == "pair" else f"on each, along {part['part']}"
        for k, value in enumerate(part["constants"]):
            spread = part["errors"][k] if part["errors"] else None
            unit = part["units"][k] if part["units"] else EMPTY
            size = f"{spread:.1g}" if spread is not None else EMPTY
            places = 4 if not spread else max(0, int(np.ceil(-np.log10(spread))))
            rows.append([name, f"{value:.{places}f}", f"± {size}", unit])
    return table(["part", "constant", "error", "unit"], rows)


def shown_rows(record: dict) -> list[int]:
    """Three to five rows: the selected, its neighbours, the best, and the paper's choice."""
    best, last = record["best"], len(record["front"]) - 1
    wanted = [best, record["best_paper"], best - 1, best + 1, record["best_held_out"]]
    return sorted({k for k in wanted if 0 <= k <= last})


def read_fish(folder: Path | None = None) -> dict | None:
    """The record of the fish (`fish.Fish`) by the largest preset; None where there is none."""
    found, _ = read_records(folder or RESULTS, "own_tracks/fish-*.json", "tracks_fish")
    good = [one for one in found.values() if "failed" not in one]
    return max(good, key=lambda one: RANK.index(one["preset"]), default=None)


def fish_text(record: dict | None) -> str:
    """What the road made of the fish, in sentences."""
    if record is None:
        return f"*{MISSING}*"
    noise, wide, loss = record["noise"], record["smoothed"], record["loss"]
    word = {"learned": "learned", "hardly": "hardly learned", "not": "not learned"}
    held = record["front"][record["best"]]["trajectory"]
    along = (
        ""
        if held is None
        else (
            " Held against the positions as they were recorded, its residual² is "
            f"{held:.3g} times that of the noise, where a law would come to about one."
        )
    )
    explained = (
        "The equation explains none of the variance of the accelerations"
        if record["explained"] <= 0
        else f"The equation explains {100 * record['explained']:.1f}% of the variance of the "
        "accelerations"
    )
    return (
        f"The window of least error has {wide['window']:.0f} frames, over four seconds, in which a "
        f"fish turns many times; {wide['frames']} frames are left of 300, too few to hold any out. "
        f"With {noise['window']:.0f} frames accelerations are known to "
        f"{noise['acceleration']:.2g} pixels per second squared, where they spread by "
        f"{noise['acceleration_spread']:.2g}: the warning comes.\n\n"
        f"Asked for fish nearer than {record['neighbours']:.0f} pixels and for a part of each "
        f"fish's own, the road says: **{word[record['learned']]}**. On frames held out "
        f"the network misses by {loss['network']:.4g}, the equation by {loss['equation']:.4g}, "
        f"the curves by {loss['baseline']:.4g}, and knowing nothing by {loss['trivial']:.4g}. "
        f"{explained} (R² {record['explained']:.2f}).{along} "
        f"Of a message {100 * record['off_line']:.0f}% lies off the line between two fish."
    )
