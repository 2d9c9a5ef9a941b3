"""Pareto fronts that answer: each point says which equation it is.

The drawing is inline SVG, so a page shows it without scripts, in print and on a phone; there,
pointing at a point for a while shows its equation, as browsers do with an SVG title. With
scripts, `pareto.js` of the book shows it at once, to a pointer, a finger or the keyboard.
Colours are those of `symlib.figures`; the selected equation is told by its shape as well.
"""

import html
import math
from collections.abc import Mapping, Sequence

from symlib.errors import InputError

BLUE, RED, SKY = "#0072B2", "#D55E00", "#56B4E9"
NEEDED = ("complexity", "loss", "score", "equation")
# The drawing's own units: it scales with the width of the page, its letters with it.
WIDTH, HEIGHT = 440, 370
LEFT, RIGHT, TOP, SPLIT, LOWER, BOTTOM = 66, 8, 10, 212, 234, 322


def pareto_html(
    front, *, selected: int | None = None, title: str = "", quantity: str = "mean absolute error"
) -> str:
    """Error and score against complexity as an interactive figure (Figure 6).

    Args:
        front: a `Regression`, or its rows: mappings with complexity, loss, score, equation,
            as a record holds them under `front`.
        selected: complexity of the selected equation; the regression's own choice, or the row
            with the largest score, when None.
        title: what the front is of, for the figure's text, e.g. "spring-2, bottleneck".
        quantity: what the loss is, for its axis.

    Returns:
        HTML of one `<div>`, with no reference to anything outside the page.

    Raises:
        InputError: no rows, a row without one of the four, with an error that is negative or
            not finite, or a selected complexity that no row has.
    """
    rows, selected = _rows(front, selected)
    x, y = _across(rows), _log_axis([row["loss"] for row in rows], TOP + 8, SPLIT)
    z = _linear_axis([row["score"] for row in rows], LOWER, BOTTOM)
    alt = describe(rows, selected, title)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_attribute(alt)}" '
        'xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="13">',
        *_axes(rows, x, y, z, quantity),
        f'<path d="{_staircase(rows, x, y)}" fill="none" stroke="{BLUE}" stroke-width="1.5"/>',
        *(_point(row, row["complexity"] == selected, x, y, z) for row in rows),
        "</svg>",
    ]
    chosen = next(row for row in rows if row["complexity"] == selected)
    return (
        '<div class="pareto" style="max-width: 32rem">\n'
        + "\n".join(parts)
        + f'\n<p class="pareto-said">{_said(chosen)}</p>\n</div>'
    )


def describe(rows: Sequence[Mapping], selected: int, title: str = "") -> str:
    """The text that stands for the figure where it cannot be seen."""
    chosen = next(row for row in rows if row["complexity"] == selected)
    first, last = rows[0], rows[-1]
    of = f" of {title}" if title else ""
    return (
        f"Pareto front{of}: {len(rows)} equations, the error against their complexity above, the "
        f"score below. The error falls from {first['loss']:.3g} at complexity "
        f"{first['complexity']} to {last['loss']:.3g} at {last['complexity']}. Selected, "
        f"with the score {chosen['score']:.3g} at complexity {selected}: "
        f"{_short(chosen['equation'])}."
    )


def show_pareto(front, **options) -> None:
    """Show `pareto_html` in a chapter; the options are its own."""
    from IPython.display import display

    rows, selected = _rows(front, options.get("selected"))
    text = describe(rows, selected, options.get("title", ""))
    display({"text/html": pareto_html(front, **options), "text/plain": text}, raw=True)


def _rows(front, selected: int | None) -> tuple[list[dict], int]:
    if hasattr(front, "equations_"):
        selected = int(front.selected["complexity"]) if selected is None else selected
        front = front.rows()
    rows = []
    for number, row in enumerate(front, start=1):
        missing = [name for name in NEEDED if name not in row]
        if missing:
            raise InputError(f"front: row {number} has no {', '.join(missing)}")
        loss, score = float(row["loss"]), float(row["score"])
        if not (math.isfinite(loss) and loss >= 0 and math.isfinite(score)):
            raise InputError(
                f"front: row {number} has loss {row['loss']!r} and score {row['score']!r}; both "
                "must be finite, and no loss is negative"
            )
        rows.append(
            {
                "complexity": int(row["complexity"]),
                "loss": loss,
                "score": score,
                "equation": str(row["equation"]),
            }
        )
    if not rows:
        raise InputError("front: there are no equations to show")
    rows.sort(key=lambda row: row["complexity"])
    if selected is None:
        selected = max(rows, key=lambda row: row["score"])["complexity"]
    if selected not in [row["complexity"] for row in rows]:
        raise InputError(f"selected: no equation of the front has complexity {selected!r}")
    return rows, selected


def _across(rows):
    low, high = rows[0]["complexity"], rows[-1]["complexity"]
    span = max(high - low, 1)
    # Half a unit of room on either side, so that bars and stars stay inside.
    scale = (WIDTH - LEFT - RIGHT) / (span + 1.4)
    return lambda complexity: LEFT + scale * (complexity - low + 0.7)


def _log_axis(values, top: float, bottom: float):
    # An equation that is exact up to rounding lies on the axis: it has no logarithm to speak of.
    exact = 1e-13 * max(values)
    positive = [value for value in values if value > max(exact, 1e-300)] or [1.0]
    low, high = math.log10(min(positive)), math.log10(max(positive))
    pad = 0.08 * (high - low) + 0.05
    low, high = low - pad, high + pad

    def place(value: float) -> float:
        share = (math.log10(value) - low) / (high - low) if value >= min(positive) else 0.0
        return bottom - share * (bottom - top)

    place.ticks = _log_ticks(low, high)
    return place


def _log_ticks(low: float, high: float) -> list[float]:
    every = (1, 2, 5) if high - low < 1.6 else (1,)
    decades = range(math.floor(low), math.ceil(high) + 1)
    marks = [m * 10.0**decade for decade in decades for m in every]
    inside = [mark for mark in marks if mark > 0 and low <= math.log10(mark) <= high]
    return inside[:: max(1, len(inside) // 6)]


def _linear_axis(values, top: float, bottom: float):
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    high = high if high > low else low + 1.0

    def place(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    place.ticks = [0.0, float(f"{high:.2g}")]
    return place


def _staircase(rows, x, y) -> str:
    path = f"M{x(rows[0]['complexity']):.1f},{y(rows[0]['loss']):.1f}"
    for row in rows[1:]:
        path += f"H{x(row['complexity']):.1f}V{y(row['loss']):.1f}"
    return path


def _axes(rows, x, y, z, quantity: str) -> list[str]:
    right = WIDTH - RIGHT
    out = [
        f'<path d="M{LEFT},{TOP}V{SPLIT}H{right}M{LEFT},{LOWER}V{BOTTOM}H{right}" fill="none" '
        'stroke="currentColor"/>'
    ]
    for place in (y, z):
        for tick in place.ticks:
            at = place(tick)
            out.append(f'<path d="M{LEFT - 4},{at:.1f}H{LEFT}" stroke="currentColor"/>')
            out.append(_text(LEFT - 7, at + 4.5, f"{tick:g}", "end"))
    levels = [row["complexity"] for row in rows]
    step = max(1, -(-(levels[-1] - levels[0]) // 12))
    for level in range(levels[0], levels[-1] + 1, step):
        out.append(f'<path d="M{x(level):.1f},{BOTTOM}v4" stroke="currentColor"/>')
        out.append(_text(x(level), BOTTOM + 19, str(level), "middle"))
    middle = (LEFT + right) / 2
    out.append(_text(middle, HEIGHT - 8, "complexity", "middle"))
    for name, low, high in ((quantity, TOP, SPLIT), ("score", LOWER, BOTTOM)):
        at = (low + high) / 2
        out.append(
            f'<text x="14" y="{at:.0f}" text-anchor="middle" fill="currentColor" '
            f'transform="rotate(-90 14 {at:.0f})">{html.escape(name)}</text>'
        )
    return out


def _point(row, chosen: bool, x, y, z) -> str:
    across, up = x(row["complexity"]), y(row["loss"])
    bar, zero = z(row["score"]), z(0.0)
    width = min(18.0, 0.6 * (x(1) - x(0)))
    colour = RED if chosen else BLUE
    mark = _star(across, up, 10) if chosen else f'<circle cx="{across:.1f}" cy="{up:.1f}" r="4.5"/>'
    data = {
        "complexity": row["complexity"],
        "loss": f"{row['loss']:.3g}",
        "score": f"{row['score']:.3f}",
        "equation": _short(row["equation"]),
    }
    attributes = " ".join(f'data-{name}="{_attribute(value)}"' for name, value in data.items())
    # The wide invisible column is what a finger can hit.
    return (
        f'<g class="point{" selected" if chosen else ""}" fill="{colour}" {attributes}>'
        f"<title>{html.escape(_plain_said(row, chosen))}</title>"
        f'<rect x="{across - 9:.1f}" y="{TOP}" width="18" height="{BOTTOM - TOP}" '
        'fill="transparent"/>'
        f'<rect x="{across - width / 2:.1f}" y="{min(bar, zero):.1f}" width="{width:.1f}" '
        f'height="{abs(zero - bar):.1f}" fill="{RED if chosen else SKY}"/>'
        f"{mark}</g>"
    )


def _star(x: float, y: float, size: float) -> str:
    corners = []
    for k in range(10):
        radius = size if k % 2 == 0 else 0.42 * size
        angle = math.pi * (k / 5 - 0.5)
        corners.append(f"{x + radius * math.cos(angle):.1f},{y + radius * math.sin(angle):.1f}")
    return f'<polygon points="{" ".join(corners)}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">'
        f"{html.escape(text)}</text>"
    )


def _said(row: Mapping) -> str:
    return (
        f"<code>{html.escape(_short(row['equation']))}</code> "
        f"(selected: complexity {row['complexity']}, error {row['loss']:.3g}, score "
        f"{row['score']:.3f})"
    )


def _plain_said(row: Mapping, chosen: bool) -> str:
    return (
        f"{_short(row['equation'])} ({'selected: ' if chosen else ''}complexity "
        f"{row['complexity']}, error {row['loss']:.3g}, score {row['score']:.3f})"
    )


def _short(equation: str) -> str:
    from symlib.tables import short

    return short(equation)


def _attribute(value: object) -> str:
    return html.escape(str(value), quote=True)
