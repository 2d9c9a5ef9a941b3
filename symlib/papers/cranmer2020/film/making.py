"""The film of a training run: drawn from its recording, kept with a record, shown on a page.

MP4 for those who want to look closely, a small WebP that loops, and a still picture (appendix D).
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

import imageio.v2 as imageio
import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image
from scipy.optimize import linear_sum_assignment
from tqdm import tqdm

from symlib.book.figures import AXES, BLUE, CYCLE, GREY, ORANGE, STYLE, law_label
from symlib.book.markdown import table
from symlib.errors import InputError
from symlib.laws.potentials import LAWS
from symlib.papers.cranmer2020.data import MODEL_NAMES
from symlib.papers.cranmer2020.film.recording import (
    LOOKS,
    Recording,
    key_of,
    read_recording,
    record_film,
)
from symlib.papers.cranmer2020.study.cells import Cell
from symlib.records.record import plain, provenance, read_record, write_record
from symlib.training.presets import get_preset

KIND = "film"
KINDS = ("mp4", "webp", "png")
FPS = 12
HOLD = 18  # frames on the last look before the test system moves
SIZE = (12.8, 7.2)  # inches at 100 dots each: 1280 × 720
SMALL = (640, 360)  # the looping picture
COLOURS = (BLUE, ORANGE, GREY)
INK = "#444444"
FEW = 0.1


def steadied(recording: Recording) -> Recording:
    """The recording with order and sign of the largest components following the look before.

    Which of two equal components is the larger, and which sign they have, says nothing: without
    this the arrows would jump. Looks are taken backwards, so that the last one stays as it is.
    """
    names = ("r2", "coefficients", "messages", "fitted")
    arrays = {name: np.array(getattr(recording, name)) for name in names}
    for k in range(len(recording) - 2, -1, -1):
        # Columns are components; their directions are compared.
        now, after = (
            columns / (np.linalg.norm(columns, axis=0) + 1e-12)
            for columns in arrays["coefficients"][k : k + 2, :-1]
        )
        overlap = after.T @ now
        _, order = linear_sum_assignment(-np.log(np.abs(overlap) + 1e-12))
        signs = np.where(overlap[range(len(order)), order] >= 0, 1.0, -1.0)
        for name in names:
            arrays[name][k] = arrays[name][k][..., order] * (1.0 if name == "r2" else signs)
    return replace(recording, **arrays)


class Frames:
    """Draws frames of a film.

    Args:
        recording: of two dimensions, or of three, whose first two are drawn.
    """

    def __init__(self, recording: Recording):
        self.film = steadied(recording)
        name = law_label(LAWS[self.film.law]) if self.film.law in LAWS else self.film.law
        self.label = name[0].upper() + name[1:]
        # Axes that stand still: the range of the last look fits nearly all before it.
        self.span = 1.15 * float(np.quantile(np.abs(self.film.fitted[-1]), 0.985))
        where = self.film.truth[..., :2]
        self.middle = (where.min(axis=(0, 1)) + where.max(axis=(0, 1))) / 2
        self.half = 0.62 * float(np.ptp(where, axis=(0, 1)).max())

    def shots(self) -> list[tuple[int, int | None]]:
        """What `draw` takes, frame by frame: every look, the last for longer, then the bodies."""
        last, states = len(self.film) - 1, len(self.film.truth)
        looks = [*range(last + 1), *[last] * HOLD]
        return [(look, None) for look in looks] + [(last, at) for at in range(0, states, 4)]

    def draw(self, look: int, at: int | None = None) -> np.ndarray:
        """One frame as an RGB picture, shape [720, 1280, 3].

        Args:
            look: its number.
            at: the state up to which the test system's bodies move; its whole path when None.
        """
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
        now, end = int(film.steps[look]), int(film.steps[-1])
        who = f"{self.label}, {film.dim}D: {MODEL_NAMES[film.model]} messages"
        figure.text(0.04, 0.93, f"{who} learn the {film.quantity}", fontsize=18, weight="bold")
        figure.text(0.985, 0.935, f"step {now:,} of {end:,}", ha="right", fontsize=14, color=INK)
        bar = figure.add_axes((0.64, 0.905, 0.345, 0.012))
        bar.barh([0, 0], [1, now / end], color=["#E5E5E5", BLUE])
        bar.set(xlim=(0, 1))
        bar.axis("off")

    def _squares(self, panel, look: int) -> None:
        spread = self.film.spread[look]
        shades = [str(1 - 0.95 * shade) for shade in spread / max(float(spread.max()), 1e-30)]
        panel.bar(range(len(shades)), 0.9, 0.9, align="edge", color=shades, edgecolor=GREY, lw=1)
        panel.set(xlim=(-0.05, len(shades)), ylim=(-0.05, 0.95), aspect="equal")
        panel.set_title("the largest of the message's components (dark: a large spread)",
                        loc="left", color=INK)  # fmt: skip
        panel.axis("off")

    def _scatter(self, panel, look: int, k: int) -> None:
        film, limits = self.film, (-self.span, self.span)
        panel.plot(limits, limits, color=GREY, lw=1, zorder=0)
        panel.scatter(
            film.fitted[look][:, k], film.messages[look][:, k], s=9, color=COLOURS[k], alpha=0.55,
            linewidths=0,
        )  # fmt: skip
        panel.set(xlim=limits, ylim=limits, xticks=[], yticks=[])
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
            arrow = {"arrowstyle": "-|>", "mutation_scale": 18, "color": COLOURS[k], "lw": 2.5}
            panel.annotate("", tip, (0, 0), arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0})
        panel.text(1.08, 0, f"$F_{AXES[0]}$", va="center", color=INK)
        panel.text(0, 1.08, f"$F_{AXES[1]}$", ha="center", color=INK)
        panel.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
        panel.axis("off")

    def _words(self, panel, look: int) -> None:
        film = self.film
        lines = (
            f"test loss {film.losses[look]:.3f}",
            f"(always the median: {film.trivial_loss:.2f})",
            f"{heard(film, look)} of {film.spread.shape[1]} components speak",
            "",
            "arrows: the two fitted combinations; on",
            f"the circle, a message is the {film.quantity}",
        )
        panel.text(0, 0.95, "\n".join(lines), va="top", fontsize=12, linespacing=1.35)
        panel.axis("off")

    def _system(self, panel, look: int, at: int | None) -> None:
        truth, path = self.film.truth[..., :2], self.film.paths[look][..., :2]
        until = len(truth) if at is None else at + 1
        size = 30 + 60 * self.film.truth[0, :, -1] / self.film.truth[0, :, -1].max()
        for body in range(truth.shape[1]):
            colour = CYCLE[body % len(CYCLE)]
            panel.plot(*truth[:until, body].T, color=GREY, lw=4, alpha=0.4, solid_capstyle="round")
            panel.plot(*path[:until, body].T, color=colour, lw=1.8)
            panel.scatter(*truth[until - 1, body], s=size[body], color=GREY, alpha=0.7, lw=0)
            panel.scatter(*path[until - 1, body], s=0.6 * size[body], color=colour, lw=0, zorder=3)
        (x, y), half = self.middle, self.half
        panel.set(xlim=(x - half, x + half), ylim=(y - 1.22 * half, y + 1.22 * half),
                  aspect="equal", xticks=[], yticks=[])  # fmt: skip
        panel.set_title(
            "an unseen system: true in grey, predicted in colour", color=INK, fontsize=12
        )


def history(film: Recording) -> tuple[Figure, str]:
    """Spread of the components, and what the largest have to do with the truth, over training."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for k, spread in enumerate(film.spread.T):
            colour = COLOURS[k] if k < film.dim else GREY
            spread = np.where(spread > 0, spread, np.nan)
            left.plot(film.steps, spread, color=colour, lw=2 if k < film.dim else 1)
        left.set(yscale="log", xlabel="training step", ylabel="standard deviation")
        left.set_title("the fifteen largest components")
        for k in range(film.dim):
            lost, line = np.clip(1 - film.r2[:, k], 1e-6, 1), ("-", "--", ":")[k]
            right.plot(film.steps, lost, line, color=COLOURS[k], label=f"component {k + 1}")
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
    r2 = recording.r2[-1]
    return (
        f"Film of a training run on {recording.law} in {recording.dim}D with {recording.model} "
        f"messages, {int(recording.steps[-1]):,} steps. A row of {recording.spread.shape[1]} "
        f"squares, one for each of the largest message components, grows pale until "
        f"{heard(recording)} are left. Two scatter plots of those against linear combinations of "
        f"the true {recording.quantity} draw together to a line, R squared {r2[0]:.4f} and "
        f"{r2[1]:.4f}; two arrows turn into place; and the predicted paths of a test system close "
        "in on the true ones."
    )


def _write(frames: Frames, folder: Path, name: str, progress: bool) -> dict[str, int]:
    """Draw all frames and write the three files; returns their sizes in bytes by name."""
    folder.mkdir(parents=True, exist_ok=True)
    small = []
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=folder) as unfinished:
        mp4, webp, png = made = [Path(unfinished) / f"{name}.{kind}" for kind in KINDS]
        with imageio.get_writer(
            mp4, fps=FPS, codec="libx264", quality=None, pixelformat="yuv420p", macro_block_size=2,
            output_params=["-crf", "24", "-preset", "slow", "-movflags", "+faststart"],
        ) as writer:  # fmt: skip
            for shot in tqdm(frames.shots(), desc="film", disable=not progress):
                picture = frames.draw(*shot)
                writer.append_data(picture)
                small.append(Image.fromarray(picture).resize(SMALL, Image.LANCZOS))
        small[0].save(webp, save_all=True, append_images=small[1:], loop=0, quality=55, method=4,
                      duration=round(1000 / FPS))  # fmt: skip
        Image.fromarray(frames.draw(-1)).save(png, optimize=True)
        return {path.name: path.replace(folder / path.name).stat().st_size for path in made}


def make_film(
    law: str = "spring",
    dim: int = 2,
    model: str = "l1",
    preset: str = "laptop",
    seed: int = 0,
    *,
    out: Path,
    recording: Path | None = None,
    cache: Path | None = None,
    progress: bool = True,
    looks: int = LOOKS,
) -> dict:
    """Record a training run, or read its recording, and write its film.

    Args:
        law, dim, model, preset, seed, cache, progress, looks: as for `record_film`; a recording
            that exists has its own.
        out: FOLDER/NAME; NAME.mp4, NAME.webp, NAME.png and the record NAME.json are written.
        recording: .npz file: drawn where it exists and is whole, else recorded there; one in
            the cache when None.

    Returns:
        The record: what the last look saw, the sizes of the files, and the text that stands for
        the film.

    Raises:
        InputError: as `record_film` and `symlib.papers.cranmer2020.film.recording.read_recording`.
    """
    began, out = time.perf_counter(), Path(out)
    if out.suffix.removeprefix(".") in KINDS:
        out = out.with_suffix("")
    if recording is None and cache is not None:
        cell = Cell(law, dim, model, seed, get_preset(preset).name)
        # A changed recipe or stage is another film.
        recording = Path(cache) / "film" / f"{cell.name}-{key_of(cell)}.npz"
    known = recording is not None and Path(recording).exists()
    film = read_recording(recording) if known else None
    if film is None or not film.whole:
        options = {"path": recording, "cache": cache, "progress": progress, "looks": looks}
        film = record_film(law, dim, model, preset, seed, **options)
    frames = Frames(film)
    sizes = _write(frames, out.parent, out.name, progress)
    command = (
        f"symlib film --law {film.law} --dim {film.dim} --model {film.model} "
        f"--preset {film.preset} --seed {film.seed}"
    )
    record = {
        "kind": KIND,
        **{name: getattr(film, name) for name in ("law", "dim", "model", "preset", "seed")},
        "steps": int(film.steps[-1]),
        "looks": len(film),
        "frames": len(frames.shots()),
        "frames_per_second": FPS,
        "quantity": film.quantity,
        "r2": film.r2[-1],
        "spectrum": film.spread[-1],
        "components_that_speak": heard(film),
        "test_loss": float(film.losses[-1]),
        "trivial_loss": film.trivial_loss,
        "files": sizes,
        "text": words(film),
        "provenance": provenance(time.perf_counter() - began, command),
    }
    write_record(out.with_name(f"{out.name}.json"), plain(record))
    return plain(record)


def read_film(path: Path) -> dict:
    """The record of a film whose files lie beside it.

    Raises:
        InputError: no record of a film, or one of whose files is missing.
    """
    path = Path(path)
    record = read_record(path)
    if record.get("kind") != KIND:
        raise InputError(f"record {path.name}: not of symlib film")
    for name in record["files"]:
        if not path.with_name(name).is_file():
            raise InputError(f"record {path.name}: {name} is missing; run `symlib film` again")
    return record


def facts(record: dict) -> str:
    """What the last look of a film's run saw, as a Markdown table."""
    cores = record["provenance"]["hardware"]["cores"]
    minutes = record["provenance"]["seconds"] / 60
    rows = [
        ("run", f"{record['law']}-{record['dim']}, {record['model']}, preset `{record['preset']}`, "
                f"seed {record['seed']}"),
        ("training steps", f"{record['steps']:,}"),
        ("components that speak, of a hundred", record["components_that_speak"]),
        (f"R² of the largest against the {record['quantity']}, kept 90%",
         ", ".join(f"{value:.4f}" for value in record["r2"])),
        ("test loss (that of the median)",
         f"{record['test_loss']:.3f} ({record['trivial_loss']:.2f})"),
        ("frames", f"{record['frames']} from {record['looks']} looks"),
        ("made on", f"{cores} cores, {minutes:.0f} minutes"),
    ]  # fmt: skip
    return table(["the film on record", ""], rows)


def film_html(record: dict, address: str, playing: bool = False) -> str:
    """A film as a part of a page.

    Args:
        record: from `read_film`.
        address: of the folder that the page finds its files in.
        playing: show the looping picture, which a click replaces by the film; where the reader
            asks for less motion it stands still. Otherwise a film with controls.
    """
    files = {Path(name).suffix: f"{address.rstrip('/')}/{name}" for name in record["files"]}
    mp4, loop, still = (files[f".{kind}"] for kind in KINDS)
    text = escape(record["text"], quote=True)
    if playing:
        return (
            f'<a class="film" href="{mp4}"><picture>'
            f'<source media="(prefers-reduced-motion: reduce), print" srcset="{still}">'
            f'<img src="{loop}" width="640" height="360" alt="{text}"></picture></a>'
        )
    return (
        f'<video class="film" controls muted loop playsinline preload="none" '
        f'poster="{still}" width="1280" height="720" aria-label="{text}">'
        f'<source src="{mp4}" type="video/mp4">'
        f'<img src="{loop}" alt="{text}"></video>'
    )
