"""`symlib bench`: side-by-side measurements in one run."""

from pathlib import Path

from symlib.errors import InputError, NonFiniteLoss
from symlib.results import writable, write_record


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
    _add_trials(recipe, _bench_recipe, preset="ci", seeds=2)
    steps = kinds.add_parser(
        "steps", help="how far the loss falls with more and with more exact steps"
    )
    _add_trials(steps, _bench_steps, preset="laptop", seeds=1)


def _add_trials(parser, run, *, preset: str, seeds: int) -> None:
    parser.add_argument("--preset", default=preset, help="ci, laptop or paper")
    parser.add_argument(
        "--seeds", type=int, default=seeds, metavar="N", help=f"how many, {seeds} if not given"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for records")
    parser.add_argument("--cache", type=Path, help="folder for simulations and checkpoints")
    parser.add_argument("--quiet", action="store_true", help="no progress display")
    parser.set_defaults(run=run)


def _bench_simulate(options) -> int:
    from symlib.bench_simulate import bench_simulate, format_bench

    if options.systems is not None and options.systems < 1:
        raise InputError(f"--systems: at least 1, got {options.systems}")
    writable(options.json)
    record = bench_simulate(**({} if options.systems is None else {"systems": options.systems}))
    write_record(options.json, record)
    print(format_bench(record))
    return 0


def _bench_training(options) -> int:
    from symlib.bench_training import bench_training, table

    writable(options.json)
    record = bench_training(law=options.law, model=options.model, limit=options.limit)
    write_record(options.json, record)
    print(table(record))
    return 0


def _bench_recipe(options) -> int:
    from symlib.recipe_trials import trials

    return _run_trials(options, trials, "trials", "symlib bench recipe")


def _bench_steps(options) -> int:
    from symlib.recipe_trials import steps_trials

    return _run_trials(options, steps_trials, "steps", "symlib bench steps")


def _run_trials(options, trials, name: str, command: str) -> int:
    """Run what `trials(preset, seeds)` gives, records going to book/results/`name`."""
    from symlib.experiments import default_cache
    from symlib.presets import get_preset
    from symlib.recipe_trials import line, run_trial
    from symlib.tables import RESULTS

    get_preset(options.preset)
    if options.seeds < 1:
        raise InputError(f"--seeds: at least 1, got {options.seeds}")
    folder, cache = options.out or RESULTS / name, options.cache or default_cache()
    waiting = list(trials(options.preset, range(options.seeds)))
    broken = 0
    for number, trial in enumerate(waiting, start=1):
        try:
            found, new = run_trial(
                trial, folder, cache=cache, progress=not options.quiet, command=command
            )
        except NonFiniteLoss as error:
            # The others do not wait for it; it is tried again with the next run.
            broken += 1
            what = f"{trial.law}-{trial.dim} {trial.model} {trial.name} seed {trial.seed}"
            print(f"{number} of {len(waiting)}: {what} broke down: {error}", flush=True)
            continue
        known = "" if new else "on record: "
        print(f"{number} of {len(waiting)}: {known}{line(found)}", flush=True)
    return 1 if broken else 0
