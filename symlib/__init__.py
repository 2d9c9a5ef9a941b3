"""symlib: from particle trajectories to a symbolic law, by way of a graph network.

The modules form one road, left to right, and import only from their left:
potentials, nbody, graphs, models, training, messages, symbolic, experiments, results,
figures, cli. Importing this package changes no global state.
"""

__version__ = "0.1.0"
