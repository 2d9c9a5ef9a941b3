"""The commands of `symlib`; `symlib --help` lists them."""

import argparse
import logging
import sys
from pathlib import Path

from symlib import bench_command
from symlib.cosmology import command
from symlib.errors import InputError, MissingEngine, NonFiniteLoss
from symlib.results import writable, write_record


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit status.

    0 done, 1 the work failed, 2 a bad argument or file, 3 an engine is missing,
    130 interrupted (say the same command again and it goes on).
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # Other libraries' own chatter at that level is of no use to the reader.
    for name in ("jax", "torch", "matplotlib", "absl"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        return options.run(options)
    except InputError as error:
        print(f"symlib: error: {error}", file=sys.stderr)
        return 2
    except MissingEngine as error:
        print(f"symlib: error: {error}", file=sys.stderr)
        return 3
    except NonFiniteLoss as error:
        print(f"symlib: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("symlib: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="symlib", description="From particle trajectories to a symbolic law."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    find = commands.add_parser("discover", help="the whole road, from a law to a verdict")
    find.add_argument("--law", required=True, help="a name, or path/to/file.py:NAME")
    find.add_argument("--dim", type=int, default=2, help="2 or 3")
    find.add_argument(
        "--model", default="bottleneck", help="standard, bottleneck, l1, kl or flathgn"
    )
    find.add_argument("--preset", default="ci", help="ci, laptop or paper")
    find.add_argument("--seed", type=int, default=0)
    find.add_argument("--engine", default="auto", help="auto, operon or pysr")
    find.add_argument("--bodies", type=int, default=4, help="bodies per system")
    find.add_argument("--json", type=Path, metavar="FILE", help="write the record here")
    find.add_argument("--cache", type=Path, help="folder for simulations and checkpoints")
    find.add_argument("--fresh", action="store_true", help="use and keep no cache")
    find.add_argument("--quiet", action="store_true", help="no progress display")
    find.set_defaults(run=_discover)

    cell = commands.add_parser("cell", help="one cell of the tables, unless it is on record")
    cell.add_argument("--law", required=True, help="a name, or path/to/file.py:NAME")
    cell.add_argument("--dim", type=int, required=True, help="2 or 3")
    cell.add_argument("--model", required=True, help="standard, bottleneck, l1, kl or flathgn")
    cell.add_argument("--seed", type=int, default=0)
    cell.add_argument("--preset", default="laptop", help="smoke, ci, laptop or paper")
    cell.add_argument("--engine", default="auto", help="auto, operon or pysr")
    cell.add_argument("--out", type=Path, metavar="FOLDER", help="for records")
    cell.add_argument("--cache", type=Path, help="folder for simulations and checkpoints")
    cell.add_argument("--retry", action="store_true", help="run it again if it failed")
    cell.add_argument("--quiet", action="store_true", help="no progress display")
    cell.set_defaults(run=_cell)

    raw = commands.add_parser("raw", help="symbolic regression of raw data against ours")
    raw.add_argument("--law", default="r2", help="a name, or path/to/file.py:NAME")
    raw.add_argument("--bodies", type=int, default=6, help="bodies per system")
    raw.add_argument("--dim", type=int, default=2, help="2 or 3")
    raw.add_argument("--engine", default="auto", help="auto, operon or pysr")
    raw.add_argument("--out", type=Path, metavar="FILE", help="for the record")
    raw.set_defaults(run=_raw)

    eight = commands.add_parser("eight", help="figure 5: the spring with eight bodies")
    eight.add_argument("--model", help="standard, bottleneck, l1 or kl; all four if not given")
    eight.add_argument("--out", type=Path, metavar="FOLDER", help="for records")
    eight.add_argument("--retry", action="store_true", help="run a model again that failed")
    eight.set_defaults(run=_eight)

    for experiment in (raw, eight):
        experiment.add_argument("--preset", default="laptop", help="smoke, ci, laptop or paper")
        experiment.add_argument("--seed", type=int, default=0)
        experiment.add_argument("--cache", type=Path, help="folder for simulations, checkpoints")
        experiment.add_argument("--quiet", action="store_true", help="no progress display")

    universe = commands.add_parser("universe", help="simulate a universe, catalogue its halos")
    command.add_universe_arguments(universe)
    universe.set_defaults(run=command.run_universe)

    halos = commands.add_parser("halos", help="Table 6 and the network on a halo catalogue")
    command.add_arguments(halos)
    halos.set_defaults(run=command.run)

    film = commands.add_parser("film", help="the film of a training run")
    film.add_argument("--law", default="spring", help="a name, or path/to/file.py:NAME")
    film.add_argument("--dim", type=int, default=2, help="2 or 3")
    film.add_argument("--model", default="l1", help="standard, bottleneck, l1 or kl")
    film.add_argument("--seed", type=int, default=0)
    film.add_argument("--preset", default="laptop", help="ci, laptop or paper")
    film.add_argument("--out", type=Path, default=Path("film"), metavar="FOLDER/NAME",
                      help="NAME.mp4, NAME.webp, NAME.png and NAME.json are written")  # fmt: skip
    film.add_argument("--recording", type=Path, metavar="FILE.npz",
                      help="draw this recording; if there is none, record it there")  # fmt: skip
    film.add_argument("--cache", type=Path, help="folder for simulations and checkpoints")
    film.add_argument("--quiet", action="store_true", help="no progress display")
    film.set_defaults(run=_film)

    bench_command.add_arguments(commands)

    laws = commands.add_parser("laws", help="list the built-in laws")
    laws.set_defaults(run=_laws)
    return parser


def _discover(options) -> int:
    from symlib.symbolic import choose_engine

    # A missing engine is told at once, before torch and JAX take seconds to load.
    choose_engine(options.engine, say=False)
    from symlib import cells
    from symlib.experiments import check, default_cache, discover

    # Before the long work: the arguments, and whether the result can be written.
    check(
        options.law,
        options.dim,
        options.model,
        options.preset,
        options.seed,
        options.bodies,
        options.engine,
    )
    writable(options.json)
    cache = None if options.fresh else (options.cache or default_cache())
    facts = {}
    if options.bodies == cells.BODIES and options.preset in cells.RANK:
        # So that a page can tell whether it is of today's code; taken before it may change.
        cell = (options.law, options.dim, options.model, options.seed, options.preset)
        facts = cells.Cell(*cell).facts()
    found = discover(
        options.law,
        options.dim,
        options.model,
        options.preset,
        options.seed,
        engine=options.engine,
        bodies=options.bodies,
        cache=cache,
        progress=not options.quiet,
    )
    record = {**found.record, **facts}
    write_record(options.json, record)
    print(summary(record))
    return 0


def _cell(options) -> int:
    from symlib.symbolic import choose_engine

    choose_engine(options.engine, say=False)
    from symlib import cells
    from symlib.experiments import default_cache

    cell = cells.Cell(options.law, options.dim, options.model, options.seed, options.preset)
    folder = options.out or cells.default_folder(options.preset)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file; name a folder")
    record, new = cells.run_cell(
        cell,
        folder,
        engine=options.engine,
        cache=options.cache or default_cache(),
        retry=options.retry,
        progress=not options.quiet,
    )
    print(("" if new else "on record: ") + cells.line(record))
    return 0


def _raw(options) -> int:
    from symlib.symbolic import choose_engine

    choose_engine(options.engine, say=False)
    from symlib import raw_regression
    from symlib.experiments import default_cache
    from symlib.results import read_record

    wanted = raw_regression.RawExperiment(
        options.law, options.bodies, options.dim, options.preset, options.seed
    )
    raw_regression.check(wanted, options.engine)
    path = options.out or wanted.path(_results(options.preset))
    writable(path, "--out")
    if raw_regression.is_done(wanted, path, options.engine):
        record = read_record(path)
        print("on record:")
    else:
        record = raw_regression.run_raw(
            wanted,
            engine=options.engine,
            cache=options.cache or default_cache(),
            progress=not options.quiet,
        )
        write_record(path, record)
    print(raw_regression.summary(record))
    return 0


def _eight(options) -> int:
    from symlib import eight_bodies
    from symlib.experiments import default_cache

    folder = options.out or _results(options.preset)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file; name a folder")
    found = eight_bodies.run_eight(
        (options.model,) if options.model else eight_bodies.MESSAGE_MODELS,
        options.preset,
        options.seed,
        folder=folder,
        cache=options.cache or default_cache(),
        retry=options.retry,
        progress=not options.quiet,
    )
    for record, new in found:
        print(("" if new else "on record: ") + eight_bodies.line(record))
    return 0


def _results(preset: str) -> Path:
    """book/results; for what is no result, a folder of its own."""
    from symlib import cells

    return cells.default_folder(preset).parent


def summary(record: dict) -> str:
    """A discovery's record in a few lines: equation, R², losses, verdict."""
    r2, verdict = record["r2"], record["verdict"]
    if record["model"] == "flathgn":
        return _energy_summary(record)
    rows = [
        f"{record['law']}, {record['dim']}D, {record['model']}, preset {record['preset']}, "
        f"seed {record['seed']}: {record['steps']} steps, {record['seconds']:.0f} s",
        f"  loss        {record['test_loss']:.4g} (trivial predictor {record['trivial_loss']:.4g})",
        "  R²          force {all:.3f} (all) {kept90:.4f} (kept 90%)".format(**r2["force"]),
        "              acceleration {all:.3f} (all) {kept90:.4f} (kept 90%)".format(
            **r2["acceleration"]
        ),
        f"  equation    {record['equation']}",
        f"              complexity {record['complexity']}, MAE {record['mae']:.3g}, "
        f"engine {record['engine']}",
        f"  verdict     {'recovered' if record['recovered'] else 'not recovered'}: "
        f"{verdict['reason']}",
    ]
    return "\n".join(rows)


def _energy_summary(record: dict) -> str:
    r2 = record["r2"]
    rows = [
        f"{record['law']}, {record['dim']}D, flathgn, preset {record['preset']}, "
        f"seed {record['seed']}: {record['steps']} steps, {record['seconds']:.0f} s",
        f"  loss         {record['test_loss']:.4g} (trivial predictor "
        f"{record['trivial_loss']:.4g}), of velocities {record['velocity_loss']:.3g}",
        "  R²           force {all:.3f} (all) {kept90:.4f} (kept 90%)".format(**r2["force"]),
        "               velocity {all:.3f} (all) {kept90:.4f} (kept 90%)".format(**r2["velocity"]),
    ]
    for title, prefix in (("pair energy", ""), ("self energy", "self_")):
        yes = record[f"{prefix or 'pair_'}recovered"]
        reason = record[f"{prefix}verdict"]["reason"]
        rows += [
            f"  {title}  {record[f'{prefix}equation']}",
            f"               complexity {record[f'{prefix}complexity']}, "
            f"MAE {record[f'{prefix}mae']:.3g}, engine {record['engine']}",
            f"               {'recovered' if yes else 'not recovered'}: {reason}",
        ]
    return "\n".join(rows)


def _film(options) -> int:
    from symlib.experiments import default_cache
    from symlib.film_making import make_film

    record = make_film(
        options.law,
        options.dim,
        options.model,
        options.preset,
        options.seed,
        out=options.out,
        recording=options.recording,
        cache=options.cache or default_cache(),
        progress=not options.quiet,
    )
    sizes = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in record["files"].items())
    print(f"{sizes}\n{record['text']}")
    return 0


def _laws(options) -> int:
    from symlib.potentials import LAWS

    for law in LAWS.values():
        print(f"{law.name:<14} dt {law.dt:<6} {law.label}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
