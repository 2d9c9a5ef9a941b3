"""The commands of `symlib`; `symlib --help` lists them.

Each command refuses what cannot work before it loads what does the work.
"""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from symlib import choices
from symlib.errors import InputError, MissingEngine, NonFiniteLoss
from symlib.files import writable, writable_folder
from symlib.records.record import write_record
from symlib.symbolic.search.engines import choose_engine

INTERRUPTED = 130  # the exit status of what Ctrl-C ended
PRESETS = ", ".join(choices.PRESETS)
app = typer.Typer(
    name="symlib",
    help="From particle trajectories to a symbolic law.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
bench = typer.Typer(help="Side-by-side measurements in one run.", rich_markup_mode=None)
app.add_typer(bench, name="bench")


def _option(kind, text: str, *names: str, check: Callable | None = None, metavar=None):
    return Annotated[kind, typer.Option(*names, help=text, callback=check, metavar=metavar)]


def _checked(check: Callable) -> Callable:
    def callback(given):
        if given is not None:
            check(given)
        return given

    return callback


def _one_of(what: str, names) -> Callable:
    return _checked(lambda given: choices.known(what, given, names))


def _least(what: str, least: int) -> Callable:
    return _checked(lambda given: choices.at_least(what, given, least))


def _engine(given: str) -> str:
    # A missing engine is told at once, before torch and JAX take seconds to load.
    choose_engine(given, say=False)
    return given


def _positive(what: str) -> Callable:
    return _checked(lambda given: choices.positive(what, given))


@_checked
def _tracks_file(given: Path) -> None:
    if not given.is_file():
        raise InputError(f"{given}: there is no such file")


@_checked
def _columns(given: str) -> None:
    from symlib.tracks.reading.columns import checked_columns

    checked_columns(given)


@_checked
def _units(given: str) -> None:
    from symlib.tracks.reading.units import checked_units

    checked_units(given)


# Options of `discover` that make sense for a law alone, and for tracks alone.
LAW_OPTIONS = ("dim", "recipe", "bodies")
TRACKS_OPTIONS = {
    "columns": "what the file calls them: time=frame,track=particle; or trackpy, trackmate",
    "fps": "frames per unit of time, where times are numbers of frames",
    "dt": "the same as the time from frame to frame",
    "masses": "a file with the columns track and mass, or one number for all",
    "charges": "the same with the column charge",
    "units": "length=um,time=s; nothing is converted",
    "one_body": "look for a trap, a drag or an external field as well",
    "neighbours": "bodies farther apart do not act on each other",
    "select": "of the front the simplest as good as any, or the paper's rule: "
    + " or ".join(choices.SELECTIONS),
    "loss": f"equations are fitted to: {', '.join(choices.LOSSES)}",
    "window": "frames of the smoother; chosen from the data if not given",
    "seeds": "how many, from --seed on, to see what is stable",
}


def _of_tracks(kind, name: str, check: Callable | None = None):
    option = f"--{name.replace('_', '-')}"
    return _option(kind, TRACKS_OPTIONS[name], option, check=check)


Law = _option(str, "a name, or path/to/file.py:NAME", check=_checked(choices.known_law))
Dim = _option(int, "2 or 3", check=_one_of("dim", choices.DIMENSIONS))
Model = _option(str, ", ".join(choices.MODELS), check=_one_of("model", choices.MODELS))
Messages = ", ".join(choices.MESSAGE_MODELS)
MessageModel = _option(str, Messages, check=_one_of("model", choices.MESSAGE_MODELS))
AnyModel = _option(
    str | None, f"{Messages}; all if not given", "--model",
    check=_one_of("model", choices.MESSAGE_MODELS),
)  # fmt: skip
Preset = _option(str, PRESETS, check=_one_of("preset", choices.PRESETS))
GridPreset = _option(str, ", ".join(choices.RANK), check=_one_of("preset", choices.RANK))
Recipe = _option(
    str | None, f"{', '.join(choices.RECIPES)}; the preset's own if not given", "--recipe",
    check=_one_of("recipe", choices.RECIPES),
)  # fmt: skip
Seed = _option(int, "decides everything that is drawn", check=_least("seed", 0))
Seeds = _option(int, "how many, from 0 on", metavar="N", check=_least("seeds", 1))
Bodies = _option(int, "bodies per system", check=_least("bodies", 2))
Engine = _option(str, "auto, operon or pysr", check=_checked(_engine))
Json = _option(Path | None, "write the record here", "--json", metavar="FILE")
Folder = _option(Path | None, "for records", "--out", metavar="FOLDER")
File = _option(Path | None, "for the record", "--out", metavar="FILE")
Cache = _option(Path | None, "for simulations and checkpoints", "--cache", metavar="FOLDER")
Retry = _option(bool, "run again what failed", "--retry")
Quiet = _option(bool, "no progress display", "--quiet")


@app.command()
def discover(
    context: typer.Context,
    tracks: Annotated[
        Path | None,
        typer.Argument(
            help="a table (CSV, Parquet) or arrays (.npz) of who was where",
            metavar="TRACKS",
            callback=_tracks_file,
        ),
    ] = None,
    law: _option(
        str | None, "a name, or path/to/file.py:NAME", "--law", check=_checked(choices.known_law)
    ) = None,
    model: Model = "bottleneck",
    preset: Preset = "ci",
    seed: Seed = 0,
    engine: Engine = "auto",
    dim: Dim = 2,
    recipe: Recipe = None,
    bodies: Bodies = 4,
    columns: _of_tracks(str | None, "columns", _columns) = None,
    fps: _of_tracks(float | None, "fps", _positive("fps")) = None,
    dt: _of_tracks(float | None, "dt", _positive("dt")) = None,
    masses: _of_tracks(str | None, "masses") = None,
    charges: _of_tracks(str | None, "charges") = None,
    units: _of_tracks(str | None, "units", _units) = None,
    one_body: _of_tracks(bool, "one_body") = False,
    neighbours: _of_tracks(float | None, "neighbours", _positive("neighbours")) = None,
    select: _of_tracks(str, "select", _one_of("select", choices.SELECTIONS)) = "held-out",
    loss: _of_tracks(str, "loss", _one_of("loss", choices.LOSSES)) = "auto",
    window: _of_tracks(int | None, "window", _least("window", 7)) = None,
    seeds: _of_tracks(int, "seeds", _least("seeds", 1)) = 1,
    json: Json = None,
    cache: Cache = None,
    fresh: _option(bool, "use and keep no cache", "--fresh") = False,
    quiet: Quiet = False,
):
    """From a law to a verdict, or from tracks to a law.

    Either TRACKS or --law. --dim, --recipe and --bodies go with --law; --columns to --seeds go
    with TRACKS.
    """
    if (tracks is None) == (law is None):
        both = "both were" if law else "neither was"
        raise InputError(f"discover: a file of tracks or --law, one of the two; {both} given")
    given = [n for n in context.params if context.get_parameter_source(n).name == "COMMANDLINE"]
    for name in given:
        if name in (LAW_OPTIONS if law is None else TRACKS_OPTIONS):
            goes = "--law" if law is None else "a file of tracks"
            raise InputError(f"--{name.replace('_', '-')} goes with {goes} alone")
    writable(json)
    if law is None:
        choices.known("model", model, choices.TRACKS_MODELS)
        # Read before anything slow is loaded: most of what can be wrong is in the file.
        from symlib.tracks.reading.read import read

        seen = read(
            tracks, columns, fps, dt, _number_or_file(masses), _number_or_file(charges), units
        )
        from symlib.discovery.laws import default_cache
        from symlib.discovery.tracks import discover_tracks

        found = discover_tracks(
            seen, model, preset, seed, engine=engine, one_body=one_body, neighbours=neighbours,
            select=select, loss=loss, seeds=seeds, window=window, progress=not quiet,
            cache=None if fresh else cache or default_cache(),
        )  # fmt: skip
        write_record(json, found.record)
        print(found)
        return
    from symlib import discovery
    from symlib.papers.cranmer2020.study import cells

    facts = {}
    if bodies == cells.BODIES:
        # So that a page can tell whether it is of today's code; taken before it may change.
        facts = cells.cell(law, dim, model, seed, preset, recipe).facts()
    found = discovery.discover(
        law, dim, model, preset, seed, recipe=recipe, engine=engine, bodies=bodies,
        progress=not quiet, cache=None if fresh else cache or discovery.default_cache(),
    )  # fmt: skip
    record = {**found.record, **facts}
    write_record(json, record)
    print(discovery.summary(record))


def _number_or_file(given: str | None) -> "float | Path | None":
    if given is None:
        return None
    try:
        return float(given)
    except ValueError:
        return Path(given)


@app.command()
def cell(
    law: Law,
    dim: Dim,
    model: Model,
    seed: Seed = 0,
    preset: GridPreset = "laptop",
    recipe: Recipe = None,
    engine: Engine = "auto",
    out: Folder = None,
    cache: Cache = None,
    retry: Retry = False,
    quiet: Quiet = False,
):
    """One cell of the tables, unless it is on record."""
    from symlib.papers.cranmer2020.study import cells

    folder = out or cells.default_folder(preset)
    study = cells.cell(law, dim, model, seed, preset, recipe)
    _study(study, folder, cells.line, engine, cache, retry, quiet)


@app.command()
def raw(
    law: Law = "r2",
    bodies: Bodies = 6,
    dim: Dim = 2,
    preset: GridPreset = "laptop",
    seed: Seed = 0,
    engine: Engine = "auto",
    out: Folder = None,
    cache: Cache = None,
    retry: Retry = False,
    quiet: Quiet = False,
):
    """Symbolic regression of raw data against the way through a network."""
    from symlib.papers.cranmer2020.study import cells, raw_regression

    study = raw_regression.RawExperiment(law, bodies, dim, preset, seed)
    folder = out or cells.default_folder(preset).parent
    _study(study, folder, raw_regression.summary, engine, cache, retry, quiet)


@app.command()
def eight(
    law: Law = "spring",
    model: AnyModel = None,
    preset: GridPreset = "laptop",
    seed: Seed = 0,
    recipe: Recipe = None,
    out: Folder = None,
    cache: Cache = None,
    retry: Retry = False,
    quiet: Quiet = False,
):
    """Figure 5: a law with eight bodies."""
    from symlib.papers.cranmer2020.study import cells, eight_bodies
    from symlib.training.presets import get_preset

    folder = out or cells.default_folder(preset).parent
    for one in (model,) if model else choices.MESSAGE_MODELS:
        recipe = recipe or get_preset(preset).recipe
        study = eight_bodies.EightBodies(one, preset, seed, law, recipe)
        _study(study, folder, eight_bodies.line, "auto", cache, retry, quiet)


def _study(study, folder: Path, line, engine: str, cache, retry: bool, quiet: bool) -> None:
    """Run one study unless it is on record, and print its line."""
    from symlib.discovery import default_cache

    study.check(engine)
    writable_folder(folder)
    record, new = study.run(
        folder, engine=engine, cache=cache or default_cache(), retry=retry, progress=not quiet
    )
    print(("" if new else "on record: ") + line(record), flush=True)


@app.command()
def grid(
    table: _option(str, "1, 3, 5, pruned or all", check=_one_of("table", choices.TABLES)) = "1",
    preset: _option(str, "ci (two rows, few steps), laptop, paper") = "laptop",
    recipe: Recipe = None,
    engine: Engine = "auto",
    out: Folder = None,
    cache: Cache = None,
    work: _option(Path | None, "Snakemake's own folder", "--work", metavar="FOLDER") = None,
    jobs: _option(
        int | None, "cells at a time; one per core if not given", check=_least("--jobs", 1)
    ) = None,
    retry: Retry = False,
    dry_run: _option(bool, "only say what would be run", "--dry-run") = False,
):
    """The tables' cells, run by Snakemake on this machine."""
    choices.known("preset", preset, choices.RANK)
    from symlib.papers.cranmer2020.study.grid import run_grid

    raise typer.Exit(
        run_grid(
            table, preset, recipe=recipe, engine=engine, out=out, cache=cache, work=work, jobs=jobs,
            retry=retry, dry_run=dry_run,
        )
    )  # fmt: skip


@app.command()
def universe(
    out: _option(Path, "an .npz file", "--out", metavar="FILE"),
    box: _option(float, "side in Mpc/h") = 500.0,
    particles: _option(int, "per side") = 256,
    seed: _option(int, "of the initial noise") = 1,
    mesh_factor: _option(int, "force cells per particle") = 2,
    a_start: _option(float, "scale factor") = 0.05,
    steps: _option(int, "time steps") = 40,
    quiet: Quiet = False,
):
    """Simulate a universe, catalogue its halos."""
    if out.suffix != ".npz":
        raise InputError(f"out: a name that ends in .npz, got {out}")
    writable(out, "--out")
    from symlib.cosmology.universe.make import make_catalogue
    from symlib.cosmology.universe.simulation import Universe

    found = make_catalogue(
        Universe(box, particles, seed, mesh_factor, a_start, steps),
        out,
        out.with_name(f".{out.stem}.state.npz"),
        progress=not quiet,
    )
    print(f"{out}: {len(found)} halos, {out.stat().st_size / 1e6:.1f} MB")


@app.command()
def halos(
    catalogue: _option(Path, "halos, .npz", "--catalogue", metavar="FILE"),
    out: _option(Path, "for records", "--out", metavar="FOLDER"),
    second: _option(Path | None, "another realisation, to test", metavar="FILE") = None,
    preset: Preset = "ci",
    seed: Seed = 0,
    engine: Engine = "auto",
    cache: Cache = None,
    quiet: Quiet = False,
):
    """Table 6 and the network on a halo catalogue."""
    from symlib.papers.cranmer2020.study.halo_rows import halo_rows, line

    for row in halo_rows(catalogue, second, preset, seed):
        _study(row, out, line, engine, cache, False, quiet)


@app.command()
def film(
    law: Law = "spring",
    dim: Dim = 2,
    model: MessageModel = "l1",
    seed: Seed = 0,
    preset: Preset = "laptop",
    out: _option(
        Path, "NAME.mp4, NAME.webp, NAME.png and NAME.json are written", metavar="FOLDER/NAME"
    ) = Path("film"),
    recording: _option(
        Path | None, "draw this recording; if there is none, record it there", metavar="FILE.npz"
    ) = None,
    cache: Cache = None,
    quiet: Quiet = False,
):
    """The film of a training run."""
    writable(out.with_suffix(".json"), "--out")
    from symlib.discovery import default_cache
    from symlib.papers.cranmer2020.film.making import make_film

    record = make_film(
        law, dim, model, preset, seed, out=out, recording=recording,
        cache=cache or default_cache(), progress=not quiet,
    )  # fmt: skip
    sizes = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in record["files"].items())
    print(f"{sizes}\n{record['text']}")


@app.command()
def laws():
    """List the built-in laws."""
    from symlib.laws.potentials import LAWS

    for law in LAWS.values():
        print(f"{law.name:<14} dt {law.dt:<6} {law.label}")


@bench.command("simulate")
def bench_simulate(
    systems: _option(int | None, "how many", check=_least("--systems", 1)) = None,
    json: Json = None,
):
    """Our integrator beside jax's odeint."""
    writable(json)
    from symlib.papers.cranmer2020.study import bench_simulate as simulation

    record = simulation.bench_simulate(**({} if systems is None else {"systems": systems}))
    write_record(json, record)
    print(simulation.table(record))


@bench.command("training")
def bench_training(
    law: Law = "r1",
    model: MessageModel = "bottleneck",
    limit: _option(float, "seconds per contestant") = 900.0,
    json: Json = None,
):
    """The three recipes beside each other."""
    writable(json)
    from symlib.papers.cranmer2020.study import bench_training as training

    record = training.bench_training(law=law, model=model, limit=limit)
    write_record(json, record)
    print(training.table(record))


def _series(name: str, text: str, preset: str, seeds: int, studies: Callable) -> None:
    """A command that runs a series of studies, their records going to a folder of book/results.

    Args:
        name, text: of the command; preset, seeds: its defaults.
        studies: of a preset and seeds: the studies, what tells a record in a line, the folder.
    """

    def run(
        preset: GridPreset = preset,
        seeds: Seeds = seeds,
        out: Folder = None,
        cache: Cache = None,
        retry: Retry = False,
        quiet: Quiet = False,
    ):
        from symlib.records.reading import RESULTS

        found, line, folder = studies(preset, range(seeds))
        waiting = list(found)
        for number, study in enumerate(waiting, start=1):
            print(f"{number} of {len(waiting)}: ", end="", flush=True)
            _study(study, out or RESULTS / folder, line, "auto", cache, retry, quiet)

    run.__doc__ = text
    bench.command(name)(run)


def _recipe_trials(preset: str, seeds):
    from symlib.papers.cranmer2020.study.trials import line, trials

    return trials(preset, seeds), line, "trials"


def _steps_trials(preset: str, seeds):
    from symlib.papers.cranmer2020.study.trials import line, steps_trials

    return steps_trials(preset, seeds), line, "steps"


def _search_trials(preset: str, seeds):
    from symlib.papers.cranmer2020.study.search_aids import line, search_trials

    return search_trials(preset, seeds), line, "search_aids"


_series("recipe", "What each part of the training recipe is worth.", "ci", 2, _recipe_trials)
_series("steps", "How far the loss falls with fewer and more steps.", "laptop", 1, _steps_trials)
_series("search", "What each aid of the symbolic search is worth.", "laptop", 1, _search_trials)


@bench.command("drag")
def bench_drag(
    systems: _option(int, "how many", check=_least("--systems", 4)) = 2000,
    seed: Seed = 0,
    out: Folder = None,
    retry: Retry = False,
    quiet: Quiet = False,
):
    """What a drag that depends on a body's number costs whoever does not see it."""
    from symlib.papers.cranmer2020.study import damped_drag
    from symlib.records.reading import RESULTS

    for dim in choices.DIMENSIONS:
        study = damped_drag.DampedDrag(dim, systems, seed)
        _study(study, out or RESULTS, damped_drag.line, "auto", None, retry, quiet)


@bench.command("tracks")
def bench_tracks(
    case: _option(str | None, "one of the cases; all if not given") = None,
    preset: GridPreset = "laptop",
    seeds: Seeds = 3,
    out: Folder = None,
    cache: Cache = None,
    retry: Retry = False,
    quiet: Quiet = False,
):
    """The road from tracks to a law, on worlds whose law is known."""
    from symlib.papers.own_tracks import cases, study
    from symlib.records.reading import RESULTS

    if case is not None:
        choices.known("case", case, cases.CASES)
    for seed in range(seeds):
        for name in (case,) if case else cases.CASES:
            one = study.TracksCase(name, preset, seed)
            _study(one, out or RESULTS, study.line, "auto", cache, retry, quiet)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit status.

    0 done, 1 the work failed, 2 a bad argument or file, 3 an engine is missing,
    130 interrupted (say the same command again and it goes on).
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # Other libraries' own chatter at that level is of no use to the reader.
    for name in ("jax", "torch", "matplotlib", "absl"):
        logging.getLogger(name).setLevel(logging.WARNING)
    command = typer.main.get_command(app)
    try:
        # What a command returns is of no interest here; an Exit's code comes back as a number.
        code = command(arguments, prog_name="symlib", standalone_mode=False)
        if code == INTERRUPTED:
            # Some versions of typer make such a code of Ctrl-C themselves.
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except TyperException as error:
        return _told(error.format_message(), 2)
    except InputError as error:
        return _told(error, 2)
    except MissingEngine as error:
        return _told(error, 3)
    except (NonFiniteLoss, OSError, MemoryError) as error:
        return _told(error, 1)
    except (KeyboardInterrupt, typer.Abort):
        print("symlib: interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED


def _told(error, status: int) -> int:
    print(f"symlib: error: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
