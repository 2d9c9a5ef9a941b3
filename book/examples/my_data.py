"""From a file of trajectories to equations: a template for data of your own.

python book/examples/my_data.py trajectories.npz
python book/examples/my_data.py --example trajectories.npz    # writes such a file
"""

import argparse
import sys
import time

import numpy as np

from symlib.errors import InputError
from symlib.messages.motion import symbolic_dynamics
from symlib.messages.recording import prediction_losses, regress_messages
from symlib.records.record import plain, provenance, write_record
from symlib.tracks.reading import read
from symlib.training.recipes import get_recipe
from symlib.training.train import train


def write_example(path: str, systems: int = 400, steps: int = 250) -> None:
    """Bodies on springs, as an instrument would see them: no accelerations, no law."""
    from symlib.simulation import nbody

    seen = nbody.simulate("spring", 2, 4, systems, steps, seed=7)
    np.savez(path, states=seen.states, dt=seen.law.dt)


def find_equations(path: str, steps: int = 8000, **search):
    """Train, listen, regress; then judge by systems that were held out."""
    training, held_out = (part.snapshots() for part in read(path).split())
    progress = search.get("progress", True)
    recipe = get_recipe("fast", steps=steps)
    run = train("bottleneck", *training, recipe, progress=progress)

    some, pull = training.states[:5000], training.accelerations[:5000]
    equations = regress_messages(run.network, some, **search)
    dynamics = symbolic_dynamics(equations, some, pull)

    losses = prediction_losses(run.network, *held_out)
    # The same for the equations: summed over components, averaged over bodies.
    errors = np.abs(dynamics(held_out.states.astype(float)) - held_out.accelerations)
    losses["equation_loss"] = float(errors.sum(axis=-1).mean())
    return equations, dynamics, losses


def report(equations, dynamics, losses) -> dict:
    """What came out, as plain values for a record."""
    return {
        "kind": "observed",
        "equations": [equation.selected["equation"] for equation in equations],
        "quantity": dynamics.quantity,
        "matrix": dynamics.matrix,
        **losses,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--example", action="store_true", help="write an example to the file")
    parser.add_argument("--steps", type=int, default=8000, help="training steps")
    parser.add_argument("--engine", default="auto", help="auto, operon or pysr")
    parser.add_argument("--json", help="write a record to this file too")
    options = parser.parse_args()
    try:
        if options.example:
            write_example(options.file)
            sys.exit()
        began = time.perf_counter()
        found = report(*find_equations(options.file, options.steps, engine=options.engine))
        if options.json:
            facts = provenance(time.perf_counter() - began)
            write_record(options.json, {**plain(found), "provenance": facts})
    except InputError as error:
        sys.exit(str(error))
    for number, equation in enumerate(found["equations"], start=1):
        print(f"message {number}: {equation}")
    print(f"the messages add up to the {found['quantity']}, turned by\n{found['matrix']}")
    print(
        f"loss on held-out systems: equations {found['equation_loss']:.3g}, network "
        f"{found['test_loss']:.3g}, knowing nothing {found['trivial_loss']:.3g}"
    )
