"""Pareto fronts that answer: each point says which equation it is.

The drawing is matplotlib's, as inline SVG, so a page shows it without scripts, in print and on a
phone; there, pointing at a point for a while shows its equation, as browsers do with an SVG
title. With scripts, `pareto.js` of the book writes it under the drawing at once, for a pointer, a
finger or the keyboard. The selected equation is told by its shape as well as by its colour.
"""

import io
import math
import re
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory

from symlib.book.figures import BLUE, RED, SKY, STYLE
from symlib.book.markdown import short
from symlib.errors import InputError

# What matplotlib draws in this colour takes the page's own ink, light or dark.
INK = "#010203"
DRAWING = {
    **STYLE,
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    "font.size": 13,
    "font.sans-serif": ["DejaVu Sans"],
    "axes.labelsize": 13,
    # Letters stay letters, and the same front the same file.
    "svg.fonttype": "none",
    "svg.hashsalt": "symlib",
}

POINT = "point-"
# What a row of a front holds.
KINDS = {"complexity": int, "loss": float, "score": float, "equation": str}


def pareto_html(front, *, selected: int | None = None, title: str = "") -> str:
    """Error and score against complexity as an interactive figure (Figure 6).

    Args:
        front: a `Regression`, or its rows: mappings with complexity, loss, score, equation,
            as a record holds them under `front`.
        selected: complexity of the selected equation; the regression's own choice, or the row
            with the largest score, when None.
        title: what the front is of, for the figure's text, e.g. "spring-2, bottleneck".

    Returns:
        HTML of one `<div>`, with no reference to anything outside the page.

    Raises:
        InputError: no rows, a row without one of the four, with an error that is negative or
            not finite, or a selected complexity that no row has.
    """
    return _html_and_text(front, selected, title)[0]


def show_pareto(front, *, selected: int | None = None, title: str = "") -> None:
    """Show `pareto_html` in a chapter, with the text that stands for it."""
    from IPython.display import display

    html, text = _html_and_text(front, selected, title)
    display({"text/html": html, "text/plain": text}, raw=True)


def _html_and_text(front, selected: int | None, title: str) -> tuple[str, str]:
    rows, at = _rows(front, selected)
    svg, label = _draw(rows, at), _described(rows, rows[at], title)
    svg.attrib = {"viewBox": svg.get("viewBox"), "role": "group", "aria-label": label}
    words = ElementTree.Element("p", {"class": "pareto-said", "role": "status"})
    for group in svg.iter("g"):
        # A page may hold several figures, but each name once.
        name = group.attrib.pop("id", "")
        if not name.startswith(POINT):
            continue
        number = int(name.removeprefix(POINT))
        row, chosen = rows[number], number == at
        facts = (
            f"({'selected: ' * chosen}complexity {row['complexity']}, error {row['loss']:.3g}, "
            f"score {row['score']:.3f})"
        )
        group.attrib = {
            "class": "point selected" if chosen else "point",
            "data-equation": row["equation"],
            "data-facts": facts,
            "role": "img",
            # One stop of the tab key; with scripts the arrows walk from there.
            "tabindex": "0" if chosen else "-1",
        }
        ElementTree.SubElement(group, "title").text = f"{row['equation']} {facts}"
        if chosen:
            ElementTree.SubElement(words, "code").text = row["equation"]
            ElementTree.SubElement(words, "span").text = f" {facts}"
    drawn, words = (ElementTree.tostring(part, encoding="unicode") for part in (svg, words))
    drawn = drawn.replace(INK, "currentColor")
    return f'<div class="pareto" style="max-width: 32rem">\n{drawn}\n{words}\n</div>', label


def _described(rows: list[dict], chosen: dict, title: str) -> str:
    first, last = rows[0], rows[-1]
    of = f" of {title}" if title else ""
    return (
        f"Pareto front{of}: {len(rows)} equations, the error against their complexity above, the "
        f"score below. The error falls from {first['loss']:.3g} at complexity "
        f"{first['complexity']} to {last['loss']:.3g} at {last['complexity']}. Selected, with the "
        f"score {chosen['score']:.3g} at complexity {chosen['complexity']}: {chosen['equation']}."
    )


def _rows(front, selected: int | None) -> tuple[list[dict], int]:
    """The rows by complexity, checked, and which one is selected."""
    if hasattr(front, "equations_"):
        selected = int(front.selected["complexity"]) if selected is None else selected
        front = front.rows()
    rows = []
    for number, row in enumerate(front, start=1):
        try:
            found = {name: kind(row[name]) for name, kind in KINDS.items()}
        except KeyError as missing:
            raise InputError(f"front: row {number} has no {missing}") from missing
        if not (0 <= found["loss"] < math.inf and math.isfinite(found["score"])):
            raise InputError(
                f"front: row {number} has loss {found['loss']} and score {found['score']}; both "
                "must be finite, and no loss is negative"
            )
        rows.append({**found, "equation": short(found["equation"])})
    if not rows:
        raise InputError("front: there are no equations to show")
    rows.sort(key=lambda row: row["complexity"])
    if selected is None:
        selected = max(rows, key=lambda row: row["score"])["complexity"]
    levels = [row["complexity"] for row in rows]
    if selected not in levels:
        raise InputError(f"selected: no equation of the front has complexity {selected!r}")
    return rows, levels.index(selected)


@mpl.rc_context(DRAWING)
def _draw(rows: list[dict], at: int) -> ElementTree.Element:
    """The front as SVG; row n has an invisible column, which a finger can hit, named point-n."""
    figure = Figure(figsize=(6.1, 5.1), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    levels, losses, scores = ([row[key] for row in rows] for key in ("complexity", "loss", "score"))
    # An equation that is exact up to rounding lies on the axis: it has no logarithm to speak of.
    positive = [loss for loss in losses if loss > max(1e-13 * max(losses), 1e-300)] or [1.0]
    floor = min(positive) / 1.5
    heights = [max(loss, floor) for loss in losses]
    above.plot(levels, heights, "o-", color=BLUE, ms=8, drawstyle="steps-post", clip_on=False)
    above.plot(levels[at], heights[at], "*", color=RED, ms=16, clip_on=False)
    above.set(yscale="log", ylabel="mean absolute error", ylim=(floor, 1.5 * max(positive)))
    above.tick_params(bottom=False)
    below.bar(levels, scores, color=[RED if k == at else SKY for k in range(len(levels))])
    below.set(xlabel="complexity", ylabel="score", xlim=(levels[0] - 1, levels[-1] + 1))
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    across = blended_transform_factory(below.transData, figure.transFigure)
    for number, level in enumerate(levels):
        # Not 0: matplotlib would write no colour, and a browser not notice the pointer.
        column = Rectangle((level - 0.5, 0), 1, 1, transform=across, fc=INK, ec="none", alpha=1e-3)
        column.set_gid(f"{POINT}{number}")
        figure.add_artist(column)
    file, nothing = io.StringIO(), dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    # matplotlib's style would hold for the whole page, and within HTML nothing needs a namespace.
    text = re.sub(r'<style.*?</style>|xmlns(:\w+)?="[^"]*"', "", file.getvalue(), flags=re.DOTALL)
    return ElementTree.fromstring(text.replace("xlink:href", "href"))
