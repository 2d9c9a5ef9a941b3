"""`symlib bench`: side-by-side measurements in one run."""

from pathlib import Path

from symlib.errors import InputError
from symlib.json_output import writable, write


def add_arguments(commands) -> None:
    """Add `bench` to the commands of `symlib`."""
    bench = commands.add_parser("bench", help="side-by-side measurements in one run")
    kinds = bench.add_subparsers(dest="kind", required=True)
    simulation = kinds.add_parser("simulate", help="our integrator beside jax's odeint")
    simulation.add_argument("--systems", type=int, default=None)
    simulation.add_argument("--json", type=Path, metavar="FILE", help="write the record here")
    simulation.set_defaults(run=_bench_simulate)
    training = kinds.add_parser("training", help="our training beside a plain PyG loop")
    training.add_argument("--law", default="r1")
    training.add_argument("--model", default="bottleneck")
    training.add_argument("--limit", type=float, default=900.0, help="seconds per contestant")
    training.add_argument("--json", type=Path, metavar="FILE", help="write the record here")
    training.set_defaults(run=_bench_training)

    recipe = kinds.add_parser("recipe", help="what each part of the training recipe is worth")
    recipe.add_argument("--preset", default="ci", help="ci, laptop or paper")
    recipe.add_argument(
        "--seeds", type=int, default=2, metavar="N", help="how many, 2 if not given"
    )
    recipe.add_argument("--out", type=Path, metavar="FOLDER", help="for records")
    recipe.add_argument("--cache", type=Path, help="folder for simulations and checkpoints")
    recipe.add_argument("--quiet", action="store_true", help="no progress display")
    recipe.set_defaults(run=_bench_recipe)


def _bench_simulate(options) -> int:
    from symlib.bench_simulate import bench_simulate, format_bench

    if options.systems is not None and options.systems < 1:
        raise InputError(f"--systems: at least 1, got {options.systems}")
    writable(options.json)
    record = bench_simulate(**({} if options.systems is None else {"systems": options.systems}))
    write(options.json, record)
    print(format_bench(record))
    return 0


def _bench_training(options) -> int:
    from symlib.bench_training import bench_training, table

    writable(options.json)
    record = bench_training(law=options.law, model=options.model, limit=options.limit)
    write(options.json, record)
    print(table(record))
    return 0


def _bench_recipe(options) -> int:
    from symlib import recipe_trials
    from symlib.experiments import default_cache
    from symlib.presets import get_preset
    from symlib.tables import RESULTS

    get_preset(options.preset)
    if options.seeds < 1:
        raise InputError(f"--seeds: at least 1, got {options.seeds}")
    folder, cache = options.out or RESULTS / "trials", options.cache or default_cache()
    waiting = list(recipe_trials.trials(options.preset, range(options.seeds)))
    for number, trial in enumerate(waiting, start=1):
        found, new = recipe_trials.run_trial(trial, folder, cache=cache, progress=not options.quiet)
        known = "" if new else "on record: "
        print(f"{number} of {len(waiting)}: {known}{recipe_trials.line(found)}", flush=True)
    return 0
