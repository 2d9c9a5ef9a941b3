"""`symlib universe` makes a halo catalogue; `symlib halos` reads it, one record for each row.

    symlib halos --catalogue book/data/halos-1.npz --second book/data/halos-2.npz \\
        --preset laptop --out book/results/cosmology

Rows that are on record already, of the same catalogue, preset and seed, are left alone.
"""

import argparse
from pathlib import Path

from symlib.cosmology.catalogue import Catalogue, read_catalogue
from symlib.errors import InputError
from symlib.results import read_record, write_record


def add_universe_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `symlib universe`, with `symlib.cosmology.universe.Universe`'s defaults."""
    parser.add_argument("--box", type=float, default=500.0, help="side in Mpc/h")
    parser.add_argument("--particles", type=int, default=256, help="per side")
    parser.add_argument("--seed", type=int, default=1, help="of the initial noise")
    parser.add_argument("--mesh-factor", type=int, default=2, help="force cells per particle")
    parser.add_argument("--a-start", type=float, default=0.05, help="scale factor")
    parser.add_argument("--steps", type=int, default=40, help="time steps")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="an .npz file")
    parser.add_argument("--quiet", action="store_true", help="no progress display")


def run_universe(options: argparse.Namespace) -> int:
    """Make a catalogue; JAX loads here, not with the command line."""
    from symlib.cosmology import make

    return make.run(options)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `symlib halos`; `run` takes what they parse to."""
    parser.add_argument("--catalogue", type=Path, required=True, metavar="FILE", help="halos, .npz")
    parser.add_argument("--second", type=Path, metavar="FILE", help="another realisation, to test")
    parser.add_argument("--preset", default="ci", help="ci, laptop or paper")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", default="auto", help="auto, operon or pysr")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for records")
    parser.add_argument("--cache", type=Path, help="folder for checkpoints")
    parser.add_argument("--quiet", action="store_true", help="no progress display")


def run(options: argparse.Namespace) -> int:
    """Fit Table 6, train the network, make the cutoff experiment, and write a record of each."""
    from symlib.experiments import default_cache
    from symlib.presets import get_preset
    from symlib.symbolic import choose_engine

    choose_engine(options.engine, say=False)
    preset = get_preset(options.preset).name
    if options.out.exists() and not options.out.is_dir():
        raise InputError(f"--out {options.out}: is a file; name a folder")
    halos = read_catalogue(options.catalogue)
    second = None if options.second is None else read_catalogue(options.second)
    # Someone else's folders are of no use to the reader of a record.
    names = {"catalogue": options.catalogue, "second": options.second}
    given = " ".join(f"--{key} {path}" for key, path in names.items() if path is not None)
    command = f"symlib halos {given} --preset {preset} --seed {options.seed} --out {options.out}"
    if any(path is not None and path.is_absolute() for path in (*names.values(), options.out)):
        command = None
    cache = options.cache or default_cache()
    for rows, make in _stages(halos, second, preset, options, cache, command):
        there = [row for row in rows if _on_record(_path(options, preset, row), halos)]
        if there:
            print(f"on record: {', '.join(there)}")
        if len(there) == len(rows):
            continue
        for record in make([row for row in rows if row not in there]):
            write_record(_path(options, preset, record["formula"]), record)
            errors = [record.get(key) for key in ("error_fit", "error_test", "error_second")]
            shown = ", ".join("-" if error is None else f"{error:.4f}" for error in errors)
            print(f"{record['formula']:22} {shown}", flush=True)
    return 0


def _stages(halos, second, preset, options, cache, command):
    """What is made together: rows, and the function that makes their records."""
    from symlib.cosmology.experiments import cutoff_experiment, network_experiment
    from symlib.cosmology.table6 import ROWS, table6

    common = {"second": second, "command": command}
    networks = {
        **common,
        "engine": options.engine,
        "cache": cache,
        "progress": not options.quiet,
    }
    seed = options.seed
    shown = not options.quiet

    def formulas(rows):
        return table6(halos, seed, preset, rows=rows, progress=shown, **common)

    yield ROWS, formulas
    for make, rows in (
        (network_experiment, ["network", "best_found"]),
        (cutoff_experiment, ["network_cutoff", "best_found_cutoff"]),
    ):
        # A network and what is read off it are made in one go.
        yield rows, lambda _, make=make: make(halos, preset, seed, **networks).records


def _path(options, preset: str, row: str) -> Path:
    return options.out / f"{row}-{preset}-{options.seed}.json"


def _on_record(path: Path, halos: Catalogue) -> bool:
    """Whether this row is there, of a catalogue with as many halos in a box of that size."""
    if not path.exists():
        return False
    about = read_record(path).get("catalogue") or {}
    return about.get("halos") == len(halos) and about.get("box") == halos.box
