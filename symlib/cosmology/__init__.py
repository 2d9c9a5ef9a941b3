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
"""
