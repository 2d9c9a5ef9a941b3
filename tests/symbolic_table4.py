"""Table 4 of the paper as data: the equations of the bottleneck model in 2D, and whether
each is the law.

`recovered` was written down by hand: an equation is the law where every term is a component
of the acceleration (m2 d / r^3 and m2 d / r^2), an additive constant apart. Terms without
m2, such as 31.6 dx in the row before the last two, are not part of it.
"""

from typing import NamedTuple

NAMES = ["m1", "m2", "q1", "q2", "dx", "dy", "r"]


class Row(NamedTuple):
    """An equation, its MAE and complexity as printed, and whether it is the law."""

    text: str
    mae: float
    complexity: int
    recovered: bool


ONE_OVER_R2 = [
    Row("0.162 + (5.62 + 20.3*m2*dx - 153*m2*dy)/r^3", 17.954713, 22, False),
    Row("(6.07 + 19.9*m2*dx - 154*m2*dy)/r^3", 18.400224, 20, False),
    Row("(3.61 + 20.9*dx - 154*m2*dy)/r^3", 42.323236, 18, False),
    Row("(31.6*dx - 152*m2*dy)/r^3", 69.447467, 16, False),
    Row("(2.78 - 152*m2*dy)/r^3", 131.42547, 14, False),
    Row("-142*m2*dy/r^3", 160.31243, 12, True),
    Row("-184*dy/r^2", 913.83751, 8, False),
    Row("-7.32*dy/r", 1520.9493, 6, False),
    Row("-0.282*m2*dy", 1551.3437, 5, False),
    Row("-0.474*dy", 1558.9756, 3, False),
    Row("0.0148", 1570.0905, 1, False),
]
ONE_OVER_R = [
    Row("(4.53*m2*dy - 1.53*dx - 15.0*m2*dx)/r^2 - 0.209", 0.37839388, 22, False),
    Row("(4.58*m2*dy - dx - 15.2*m2*dx)/r^2 - 0.227", 0.38, 20, False),
    Row("(4.55*m2*dy - 15.5*m2*dx)/r^2 - 0.238", 0.42, 18, True),
    Row("(4.59*m2*dy - 15.5*m2*dx)/r^2", 0.46575519, 16, True),
    Row("(10.7*dy - 15.5*m2*dx)/r^2", 2.48, 14, False),
    Row("(dy - 15.6*m2*dx)/r^2", 6.96, 12, False),
    Row("-15.6*m2*dx/r^2", 7.93, 10, True),
    Row("-34.8*dx/r^2", 31.17, 8, False),
    Row("-8.71*dx/r", 68.345174, 6, False),
    Row("-0.360*m2*dx", 85.743106, 5, False),
    Row("-0.632*dx", 93.052677, 3, False),
    Row("-dx", 96.708906, 2, False),
    Row("-0.303", 103.29053, 1, False),
]
