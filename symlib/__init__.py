"""symlib: from particle trajectories to a symbolic law, by way of a graph network.

    import symlib

    data = symlib.simulate("spring", dim=2)  # or symlib.read("tracks.npz")
    train, test = data.split()
    run = symlib.train(train, model="bottleneck")
    heard = symlib.listen(run, test)
    found = symlib.regress(heard)
    print(found.latex(), symlib.judge(found, "spring"))

    result = symlib.discover("spring", dim=2)  # all of it
    result.save("spring.json")

Each name loads what it needs when it is used; importing this package loads nothing and changes
no global state. Behind the names lie the rooms, each importing from those before it alone: laws,
networks, records; simulation, tracks, training, symbolic; messages, cosmology; discovery; book;
papers; cli.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "PairPotential": "laws.potentials",
    "Snapshots": "laws.snapshots",
    "simulate": "simulation.nbody",
    "read": "tracks.reading.read",
    "train": "discovery",
    "listen": "discovery",
    "regress": "discovery",
    "judge": "discovery",
    "discover": "discovery",
    "ForceLaw": "discovery.estimator",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name in _HOME:
        return getattr(import_module(f"symlib.{_HOME[name]}"), name)
    raise AttributeError(f"module 'symlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
