"""The film of a training run, drawn from its recording and written as MP4 and WebP (appendix D)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from tqdm import tqdm

from symlib.book.figures import AXES, BLUE, CYCLE, GREY, ORANGE, STYLE, law_label
from symlib.errors import InputError
from symlib.files import whole_file
from symlib.laws.potentials import LAWS
from symlib.papers.cranmer2020.data import MODEL_NAMES
from symlib.papers.cranmer2020.film.recording import Recording

FPS = 12
HOLD = 18  # frames on the last look before the test system moves
SIZE = (12.8, 7.2)  # inches at 100 dots each: 1280 × 720
SMALL = (640, 360)  # the looping picture
COLOURS = (BLUE, ORANGE)
FEW = 0.1


def steadied(recording: Recording) -> Recording:
    """The recording with order and sign of the drawn components following the look before.

    Which of two equal components is the larger, and which sign they have, says nothing: without
    this the arrows would jump. Looks are taken backwards, so that the last one stays as it is.
    """
    names = ("r2", "coefficients", "messages", "fitted")
    arrays = {name: np.array(getattr(recording, name)) for name in names}
    size = np.linalg.norm
    for k in range(len(recording) - 2, -1, -1):
        now, after = arrays["coefficients"][k, :-1], arrays["coefficients"][k + 1, :-1]
        # Columns are components; compare directions only.
        overlap = (now.T @ after) / (
            size(now, axis=0)[:, None] * size(after, axis=0)[None, :] + 1e-12
        )
        order = list(range(overlap.shape[0]))
        if len(order) == 2 and abs(overlap[0, 1] * overlap[1, 0]) > abs(
            overlap[0, 0] * overlap[1, 1]
        ):
            order = [1, 0]
        signs = np.array([1.0 if overlap[order[j], j] >= 0 else -1.0 for j in range(len(order))])
        for name in names:
            arrays[name][k] = arrays[name][k][..., order]
            if name != "r2":
                arrays[name][k] = arrays[name][k] * signs
    return replace(recording, **arrays)


class Frames:
    """Draws one frame after the other on one figure.

    Args:
        recording: of a training; of three dimensions the first two are drawn.
    """

    def __init__(self, recording: Recording):
        self.film = steadied(recording)
        name = law_label(LAWS[self.film.law]) if self.film.law in LAWS else self.film.law
        self.label = name[0].upper() + name[1:]
        # Axes that stand still: the range of the last look fits nearly all before it.
        last = np.abs(self.film.fitted[-1])
        self.span = 1.15 * float(np.quantile(last, 0.985))
        where = self.film.truth[..., :2]
        self.middle = (where.min(axis=(0, 1)) + where.max(axis=(0, 1))) / 2
        self.half = 0.62 * float(np.ptp(where, axis=(0, 1)).max())

    def __len__(self) -> int:
        return len(self.film) + HOLD + len(self.moves())

    def moves(self) -> list[int]:
        """States of the test system at which the bodies are drawn at the end."""
        return list(range(0, len(self.film.truth), 4))

    def __iter__(self) -> Iterator[np.ndarray]:
        """Frames as RGB pictures, shape [720, 1280, 3]."""
        for k in range(len(self.film)):
            yield self.draw(k)
        for _ in range(HOLD):
            yield self.draw(len(self.film) - 1)
        for at in self.moves():
            yield self.draw(len(self.film) - 1, at)

    def draw(self, look: int, at: int | None = None) -> np.ndarray:
        """One frame: a look, with the test system's whole path or its bodies up to state `at`."""
        with mpl.rc_context({**STYLE, "font.size": 12, "axes.titlesize": 13, "savefig.bbox": None}):
            figure = Figure(figsize=SIZE, dpi=100)
            canvas = FigureCanvasAgg(figure)
            self._heading(figure, look)
            self._squares(figure.add_axes((0.04, 0.735, 0.55, 0.105)), look)
            for k in range(2):
                self._scatter(figure.add_axes((0.075 + 0.275 * k, 0.33, 0.215, 0.30)), look, k)
            self._arrows(figure.add_axes((0.055, 0.035, 0.20, 0.235)), look)
            self._words(figure.add_axes((0.285, 0.035, 0.30, 0.235)), look)
            self._system(figure.add_axes((0.64, 0.09, 0.345, 0.75)), look, at)
            canvas.draw()
            return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def _heading(self, figure, look: int) -> None:
        film = self.film
        share = film.steps[look] / film.steps[-1]
        who = f"{self.label}, {film.dim}D: {MODEL_NAMES[film.model]} messages"
        figure.text(0.04, 0.93, f"{who} learn the {film.quantity}", fontsize=18, weight="bold")
        figure.text(0.985, 0.935, f"step {int(film.steps[look]):,} of {int(film.steps[-1]):,}",
                    ha="right", fontsize=14, color="#444444")  # fmt: skip
        bar = figure.add_axes((0.64, 0.905, 0.345, 0.012))
        bar.barh(0, 1, color="#E5E5E5")
        bar.barh(0, share, color=BLUE)
        bar.set(xlim=(0, 1))
        bar.axis("off")

    def _squares(self, panel, look: int) -> None:
        spread = self.film.spread[look]
        shades = spread / max(float(spread.max()), 1e-30)
        for k, shade in enumerate(shades):
            panel.add_patch(
                Rectangle((k, 0), 0.9, 0.9, facecolor=str(1 - 0.95 * shade), edgecolor=GREY, lw=1)
            )
        panel.set(xlim=(-0.05, len(shades)), ylim=(-0.05, 0.95), aspect="equal")
        panel.set_title("the largest of the message's components (dark: a large spread)",
                        loc="left", color="#444444")  # fmt: skip
        panel.axis("off")

    def _scatter(self, panel, look: int, k: int) -> None:
        film, span = self.film, self.span
        x, y = film.fitted[look][:, k], film.messages[look][:, k]
        panel.plot([-span, span], [-span, span], color=GREY, lw=1, zorder=0)
        panel.scatter(x, y, s=9, color=COLOURS[k], alpha=0.55, linewidths=0)
        panel.set(xlim=(-span, span), ylim=(-span, span), xticks=[], yticks=[])
        panel.set_xlabel(f"combination of the true {film.quantity}'s components", fontsize=11)
        panel.set_ylabel(f"message component {k + 1}", fontsize=12)
        panel.set_title(f"$R^2$ = {max(float(film.r2[look, k]), 0.0):.4f}", color=COLOURS[k])

    def _arrows(self, panel, look: int) -> None:
        film = self.film
        panel.add_patch(Circle((0, 0), 1, fill=False, edgecolor=GREY, lw=1))
        for k in range(2):
            direction = film.coefficients[look][:2, k]
            length = np.sqrt(max(float(film.r2[look, k]), 0.0))
            tip = length * direction / max(float(np.linalg.norm(direction)), 1e-30)
            panel.add_patch(
                FancyArrowPatch((0, 0), tuple(tip), arrowstyle="-|>", mutation_scale=18,
                                color=COLOURS[k], lw=2.5, shrinkA=0, shrinkB=0)
            )  # fmt: skip
        panel.text(1.08, 0, f"$F_{AXES[0]}$", va="center", color="#444444")
        panel.text(0, 1.08, f"$F_{AXES[1]}$", ha="center", color="#444444")
        panel.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
        panel.axis("off")

    def _words(self, panel, look: int) -> None:
        film = self.film
        alive = heard(film, look)
        lines = (
            f"test loss {film.losses[look]:.3f}",
            f"(always the median: {film.trivial_loss:.2f})",
            f"{alive} of {film.spread.shape[1]} components speak",
            "",
            "arrows: the two fitted combinations; on",
            f"the circle, a message is the {film.quantity}",
        )
        panel.text(0, 0.95, "\n".join(lines), va="top", fontsize=12, linespacing=1.35)
        panel.axis("off")

    def _system(self, panel, look: int, at: int | None) -> None:
        film = self.film
        truth, path = film.truth[..., :2], film.paths[look][..., :2]
        until = len(truth) if at is None else at + 1
        size = 30 + 60 * film.truth[0, :, -1] / film.truth[0, :, -1].max()
        for body in range(truth.shape[1]):
            colour = CYCLE[body % len(CYCLE)]
            panel.plot(*truth[:until, body].T, color=GREY, lw=4, alpha=0.4, solid_capstyle="round")
            panel.plot(*path[:until, body].T, color=colour, lw=1.8)
            panel.scatter(*truth[until - 1, body], s=size[body], color=GREY, alpha=0.7, lw=0)
            panel.scatter(*path[until - 1, body], s=0.6 * size[body], color=colour, lw=0, zorder=3)
        (x, y), half = self.middle, self.half
        panel.set(xlim=(x - half, x + half), ylim=(y - 1.22 * half, y + 1.22 * half),
                  aspect="equal", xticks=[], yticks=[])  # fmt: skip
        panel.set_title("an unseen system: true in grey, predicted in colour",
                        color="#444444", fontsize=12)  # fmt: skip


def history(recording: Recording) -> tuple[Figure, str]:
    """Spread of the components, and what the largest have to do with the truth, over training."""
    film = recording
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for k in range(film.spread.shape[1]):
            colour = COLOURS[k] if k < film.dim and k < 2 else GREY
            spread = np.where(film.spread[:, k] > 0, film.spread[:, k], np.nan)
            left.plot(film.steps, spread, color=colour, lw=2 if k < film.dim else 1)
        left.set(yscale="log", xlabel="training step", ylabel="standard deviation")
        left.set_title("the fifteen largest components")
        for k in range(film.dim):
            lost = np.clip(1 - film.r2[:, k], 1e-6, 1)
            style = ("-", "--", ":")[k]
            right.plot(
                film.steps, lost, style, color=(*COLOURS, GREY)[k], label=f"component {k + 1}"
            )
        right.set(yscale="log", xlabel="training step", ylabel="1 − R²")
        right.set_title(f"what is not the {film.quantity}")
        right.legend()
    return figure, (
        f"Two plots over {int(film.steps[-1]):,} training steps on logarithmic axes. Left, the "
        f"standard deviations of the {film.spread.shape[1]} largest components: at the end "
        f"{heard(film)} of them speak. Right, one minus R squared of the {film.dim} largest "
        f"against the true {film.quantity}: at the end "
        f"{' and '.join(f'{1 - value:.2g}' for value in film.r2[-1])}."
    )


def stills(recording: Recording, looks: Sequence[int]) -> tuple[Figure, str]:
    """Some frames of the film one below the other."""
    frames = Frames(recording)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 4.8 * len(looks)), layout="constrained")
        for panel, look in zip(np.atleast_1d(figure.subplots(len(looks), 1)), looks, strict=True):
            panel.imshow(frames.draw(look))
            panel.axis("off")
    steps = ", ".join(f"{int(recording.steps[look]):,}" for look in looks)
    return figure, f"Frames of the film at steps {steps}. {words(recording)}"


def heard(recording: Recording, look: int = -1) -> int:
    """How many components speak: their spread is at least a tenth of the largest."""
    spread = recording.spread[look]
    return int(np.sum(spread >= FEW * spread.max()))


def words(recording: Recording) -> str:
    """The text that stands for the film."""
    spread, r2 = recording.spread[-1], recording.r2[-1]
    alive = heard(recording)
    return (
        f"Film of a training run on {recording.law} in {recording.dim}D with {recording.model} "
        f"messages, {int(recording.steps[-1]):,} steps. A row of {len(spread)} squares, one for "
        f"each of the largest message components, grows pale until {alive} are left. Two scatter "
        f"plots of those against linear combinations of the true {recording.quantity} draw "
        f"together to a line, R squared {r2[0]:.4f} and {r2[1]:.4f}; two arrows turn into place; "
        "and the predicted paths of a test system close in on the true ones."
    )


def write_film(recording: Recording, folder: Path, name: str, progress: bool = True) -> dict:
    """Draw all frames and write MP4, looping WebP and a still picture.

    Args:
        recording: of two or three dimensions.
        folder: where NAME.mp4, NAME.webp and NAME.png go.
        name: of the files.
        progress: show how far it is.

    Returns:
        Sizes in bytes by file name.

    Raises:
        InputError: a recording of fewer than two looks.
    """
    import imageio.v2 as imageio
    from PIL import Image

    if len(recording) < 2:
        raise InputError("film: a film needs at least two looks at the network")
    folder = Path(folder)
    frames, small = Frames(recording), []
    paths = {kind: folder / f"{name}.{kind}" for kind in ("mp4", "webp", "png")}
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.part.mp4"
    try:
        with imageio.get_writer(
            temporary, fps=FPS, codec="libx264", quality=None, pixelformat="yuv420p",
            output_params=["-crf", "24", "-preset", "slow", "-movflags", "+faststart"],
            macro_block_size=2,
        ) as writer:  # fmt: skip
            for picture in tqdm(frames, total=len(frames), desc="film", disable=not progress):
                writer.append_data(picture)
                small.append(Image.fromarray(picture).resize(SMALL, Image.LANCZOS))
        temporary.replace(paths["mp4"])
    finally:
        temporary.unlink(missing_ok=True)
    with whole_file(paths["webp"], mode="wb") as file:
        small[0].save(file, "WEBP", save_all=True, append_images=small[1:], loop=0,
                      duration=round(1000 / FPS), quality=55, method=4)  # fmt: skip
    with whole_file(paths["png"], mode="wb") as file:
        Image.fromarray(frames.draw(len(recording) - 1)).save(file, "PNG", optimize=True)
    return {path.name: path.stat().st_size for path in paths.values()}
