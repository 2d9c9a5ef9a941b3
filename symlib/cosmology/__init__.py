"""From a gravitational simulation to a catalogue of halos and their overdensity (appendix E).

linear.py       the cosmology, linear theory, and the start of a simulation
gravity.py      forces on a mesh
universe.py     the particle-mesh run
halos.py        friends-of-friends
overdensity.py  δ in a top-hat of 20 Mpc/h
catalogue.py    a halo catalogue and its file (archive.py: arrays written whole or not)
make.py         the whole road, and its command
spectrum.py     what a universe is checked by
quijote.py      the reader of Quijote's own group catalogues

neighbours.py   pairs of halos and sums over them
formulas.py     the formulas of Table 6      refit.py       their constants, fitted again
table6.py       every row as a record        figures.py     kernel, predictions, the universe
halo_graphs.py  halos as graphs              network.py     the network of appendix E
reading.py      its message, its equations   composition.py the two put together by sympy
experiments.py  the road in one call         command.py     `symlib universe`, `symlib halos`
"""
