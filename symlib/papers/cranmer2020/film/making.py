"""From a law to a film: train while looking, draw, and leave a record (appendix D)."""

import time
from html import escape
from pathlib import Path

from symlib.book.markdown import table
from symlib.choices import FLATHGN
from symlib.discovery import check, fit_network, prepare
from symlib.errors import InputError
from symlib.papers.cranmer2020.film.frames import FPS, Frames, heard, words, write_film
from symlib.papers.cranmer2020.film.recording import Recorder, Recording, read_recording
from symlib.papers.cranmer2020.study.cells import Cell
from symlib.records.record import plain, provenance, read_record, write_record
from symlib.records.stages import versions
from symlib.records.study import hash_of
from symlib.training.presets import get_preset

KIND = "film"
EVERY = 50  # training steps between two chances to look
LOOKS = 90


def record_film(
    law: str,
    dim: int = 2,
    model: str = "l1",
    preset="laptop",
    seed: int = 0,
    *,
    path: Path | None = None,
    cache: Path | None = None,
    progress: bool = True,
    looks: int = LOOKS,
) -> Recording:
    """Train a network and keep what its messages look like on the way.

    Args:
        law, dim, model, preset, seed: of the run, as for `symlib.discovery.discover`.
        path: .npz file for the recording, written with every look, so that an interrupted
            training goes on with its film; None keeps it in memory.
        cache: folder for simulations and checkpoints.
        progress: show what is going on.
        looks: how many.

    Raises:
        InputError: as `symlib.discovery.check`; FlatHGN, which sends no messages; a file of
            another run; a network that was trained to its end without being looked at.
    """
    found, preset = check(law, dim, model, preset, seed)
    if model == FLATHGN:
        raise InputError("model: flathgn sends no messages; film standard, bottleneck, l1 or kl")
    if looks < 2:
        raise InputError(f"looks: at least 2 are needed, got {looks!r}")
    data = prepare(found, dim, preset, seed, cache=cache, progress=progress)
    steps = preset.recipe_for(model).steps
    cell = Cell(found.name, dim, model, seed, preset.name)
    recorder = Recorder(
        found,
        data.test.states,
        data.test.accelerations,
        steps,
        {"model": model, "preset": preset.name, "seed": seed, "key": _key(cell)},
        path=path,
        looks=looks,
        every=min(EVERY, max(1, steps // 100)),
    )
    fit_network(
        found, model, data, preset, seed, progress=progress,
        # A finished run of the tables would be taken from the cache, and nothing seen of it.
        cache=None if cache is None else Path(cache) / "film",
        watch=recorder, watch_every=recorder.every,
    )  # fmt: skip
    if not recorder.rows or recorder.rows[-1]["steps"] < steps:
        raise InputError(
            f"film: the network in {Path(cache or '') / 'film'} was trained before and not looked "
            "at to its end; delete it there, so that it is trained again"
        )
    return recorder.recording()


def _key(cell: Cell) -> str:
    return hash_of([cell.key(), versions(("simulate", "train", "listen"))])


def make_film(
    law: str,
    dim: int = 2,
    model: str = "l1",
    preset="laptop",
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
        recording: .npz file: drawn where it exists and is whole, else recorded there.

    Returns:
        The record: what the last look saw, the sizes of the files, and the text that stands for
        the film.

    Raises:
        InputError: as `record_film` and `symlib.papers.cranmer2020.film.recording.read_recording`.
    """
    began, out = time.perf_counter(), Path(out)
    check(law, dim, model, preset, seed)
    if out.suffix in (".mp4", ".webp", ".png"):
        out = out.with_suffix("")
    known = recording is not None and Path(recording).exists()
    film = read_recording(recording) if known else None
    if film is None or not film.whole:
        path = recording
        if path is None and cache is not None:
            cell = Cell(law, dim, model, seed, get_preset(preset).name)
            # A changed recipe or stage is another film.
            path = Path(cache) / "film" / f"{cell.name}-{_key(cell)}.npz"
        film = record_film(
            law, dim, model, preset, seed, path=path, cache=cache, progress=progress, looks=looks
        )
    sizes = write_film(film, out.parent, out.name, progress=progress)
    command = (
        f"symlib film --law {law} --dim {film.dim} --model {film.model} --preset {film.preset} "
        f"--seed {film.seed}"
    )
    record = {
        "kind": KIND,
        "law": film.law,
        "dim": film.dim,
        "model": film.model,
        "preset": film.preset,
        "seed": film.seed,
        "steps": int(film.steps[-1]),
        "looks": len(film),
        "frames": len(Frames(film)),
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
    mp4, still, loop = (
        next(name for name in record["files"] if name.endswith(kind))
        for kind in (".mp4", ".png", ".webp")
    )
    text, base = escape(record["text"], quote=True), address.rstrip("/")
    if playing:
        return (
            f'<a class="film" href="{base}/{mp4}"><picture>'
            f'<source media="(prefers-reduced-motion: reduce), print" srcset="{base}/{still}">'
            f'<img src="{base}/{loop}" width="640" height="360" alt="{text}"></picture></a>'
        )
    return (
        f'<video class="film" controls muted loop playsinline preload="none" '
        f'poster="{base}/{still}" width="1280" height="720" aria-label="{text}">'
        f'<source src="{base}/{mp4}" type="video/mp4">'
        f'<img src="{base}/{loop}" alt="{text}"></video>'
    )
