"""From a gravitational simulation to a catalogue of halos and their overdensity (appendix E).

universe/       a particle-mesh simulation, its halos by friends-of-friends, and their δ
catalogue.py    a halo catalogue and its file  quijote.py  Quijote's own group catalogues
neighbours.py   pairs of halos, sums over them
formulas.py     the formulas of Table 6        refit.py    their constants, fitted again
network.py      the network of appendix E      reading.py  its message and equations
"""
