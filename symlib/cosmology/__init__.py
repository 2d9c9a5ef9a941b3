"""From a gravitational simulation to a catalogue of halos and their overdensity (appendix E).

gravity.py      the cosmology, its linear theory, the start of a simulation, forces on a mesh
universe.py     the particle-mesh run
halos.py        friends-of-friends, and δ in a top-hat of 20 Mpc/h
catalogue.py    a halo catalogue and its file
make.py         the whole road, and its command
quijote.py      the reader of Quijote's own group catalogues

neighbours.py   pairs of halos and sums over them
formulas.py     the formulas of Table 6      refit.py       their constants, fitted again
table6.py       every row as a record        figures.py     the chapter's figures
halo_graphs.py  halos as graphs              network.py     the network of appendix E
reading.py      its message, its equations   composition.py the two put together by sympy
experiments.py  the road in one call         command.py     `symlib universe`, `symlib halos`
"""
