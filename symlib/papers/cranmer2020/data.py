"""The paper's numbers, so that pages can show them beside what was measured here.

Cells are keyed by (law, dimension) in this package's names and by model. Sources: tables 1,
3 to 6 and appendix C of the paper, its equations in the words that `symlib.symbolic` reads; for
`PEER` the public reproduction VishalJ99/symbolic_distillation (best of several runs, plain R²
over all points: against force, against acceleration), for `SYMTORCH` the public reproduction
elizabethsztan/SymTorch_symbolic_distillation_GNNs (100 epochs, R² against force, over all points
and with the tenth of the points with the largest residuals left out: means of its two messages).
"""

from symlib.choices import FLATHGN, MESSAGE_MODELS, PRUNED

LAW_NAMES = {
    "charge": "Charge",
    "damped": "Damped",
    "discontinuous": "Disc.",
    "r1": "1/r",
    "r2": "1/r²",
    "spring": "Spring",
}
MODEL_NAMES = {
    "standard": "Standard",
    "bottleneck": "Bottleneck",
    "l1": "L1",
    "kl": "KL",
    PRUNED: "Pruned",
    FLATHGN: "FlatHGN",
}


def _table(columns: tuple[str, ...], rows: dict) -> dict:
    return {key: dict(zip(columns, values, strict=True)) for key, values in rows.items()}


# R² of a linear combination of the true force's components, fitted to the leading messages.
TABLE_1 = _table(
    MESSAGE_MODELS,
    {
        ("charge", 2): (0.016, 0.947, 0.004, 0.185),
        ("charge", 3): (0.013, 0.980, 0.002, 0.425),
        ("r1", 2): (0.000, 1.000, 1.000, 0.796),
        ("r1", 3): (0.000, 1.000, 1.000, 0.332),
        ("r2", 2): (0.004, 0.993, 0.990, 0.770),
        ("r2", 3): (0.002, 0.994, 0.977, 0.214),
        ("spring", 2): (0.032, 1.000, 1.000, 0.883),
        ("spring", 3): (0.036, 0.995, 1.000, 0.214),
    },
)
# The same by others, (force, acceleration).
PEER = _table(
    MESSAGE_MODELS,
    {
        ("charge", 2): ((0.006, 0.050), (0.700, 0.897), (0.006, 0.055), (0.381, 0.431)),
        ("charge", 3): ((0.429, 0.990), (0.817, 0.788), (0.683, 0.897), (0.251, 0.472)),
        ("r1", 2): ((0.314, 0.962), (0.324, 0.994), (0.324, 0.994), (0.250, 0.835)),
        ("r1", 3): ((0.402, 0.999), (0.403, 0.999), (0.364, 0.904), (0.333, 0.859)),
        ("r2", 2): ((0.001, 0.397), (0.411, 0.985), (0.181, 0.528), (0.291, 0.426)),
        ("r2", 3): ((0.502, 0.955), (0.518, 0.998), (0.505, 0.979), (0.323, 0.564)),
        ("spring", 2): ((0.422, 0.999), (0.999, 0.431), (1.000, 0.430), (0.768, 0.640)),
        ("spring", 3): ((0.430, 1.000), (0.430, 1.000), (0.990, 0.438), (0.918, 0.532)),
    },
)
# The same by others still, in the plane, one run a cell: R² against the force alone, (over all
# points, over the 90% with the smallest residuals of a fit that minimises those alone). Trained for
# 100 epochs of some 11,000 steps on 70% of a million snapshots, and tested on others of the same
# simulations.
SYMTORCH = _table(
    (*MESSAGE_MODELS, PRUNED),
    {
        ("charge", 2): (
            (0.010, 0.466), (0.563, 0.995), (0.229, 0.692), (0.255, 0.029), (0.683, 0.997),
        ),
        ("r1", 2): (
            (0.170, 0.416), (0.388, 0.839), (0.382, 0.845), (0.179, 0.596), (0.386, 0.843),
        ),
        ("r2", 2): (
            (0.001, 0.873), (0.456, 0.981), (0.010, 0.753), (0.188, 0.847), (0.464, 0.968),
        ),
        ("spring", 2): (
            (0.698, 0.920), (0.993, 1.000), (0.993, 0.998), (0.648, 0.801), (0.682, 0.952),
        ),
    },
)  # fmt: skip
# Test losses L_v: |v − v̂| of the accelerations, summed over components and averaged over bodies
# (appendix A.1).
TABLE_3 = _table(
    (*MESSAGE_MODELS, FLATHGN),
    {
        ("charge", 2): (49, 50, 52, 60, 55),
        ("charge", 3): (1.2, 0.99, 0.94, 4.2, 3.5),
        ("damped", 2): (0.30, 0.33, 0.30, 1.5, 0.35),
        ("damped", 3): (0.41, 0.45, 0.40, 3.3, 0.47),
        ("discontinuous", 2): (0.064, 0.074, 0.044, 1.8, 0.075),
        ("discontinuous", 3): (0.20, 0.18, 0.13, 4.2, 0.14),
        ("r1", 2): (0.077, 0.069, 0.079, 3.5, 0.05),
        ("r1", 3): (0.051, 0.050, 0.055, 3.5, 0.017),
        ("r2", 2): (1.6, 1.6, 1.2, 9.3, 1.3),
        ("r2", 3): (4.0, 3.6, 3.4, 9.8, 2.5),
        ("spring", 2): (0.047, 0.046, 0.045, 1.7, 0.016),
        ("spring", 3): (0.11, 0.11, 0.090, 3.8, 0.010),
    },
)
# Whether symbolic regression recovered the force law.
TABLE_5 = _table(
    MESSAGE_MODELS,
    {
        ("charge", 2): (False, True, False, False),
        ("charge", 3): (False, True, False, False),
        ("r1", 2): (False, True, True, True),
        ("r1", 3): (False, True, True, True),
        ("r2", 2): (False, True, True, False),
        ("r2", 3): (False, True, True, False),
        ("spring", 2): (False, True, True, True),
        ("spring", 3): (False, True, True, True),
    },
)
# Equations fitted to the leading message of the bottleneck model in two dimensions, as (equation,
# mean absolute error, complexity), and the complexity of the row on a grey background.
TABLE_4 = {
    ("r2", 2): (
        ("0.162 + (5.62 + 20.3*m2*dx - 153*m2*dy)/r^3", 17.954713, 22),
        ("(6.07 + 19.9*m2*dx - 154*m2*dy)/r^3", 18.400224, 20),
        ("(3.61 + 20.9*dx - 154*m2*dy)/r^3", 42.323236, 18),
        ("(31.6*dx - 152*m2*dy)/r^3", 69.447467, 16),
        ("(2.78 - 152*m2*dy)/r^3", 131.42547, 14),
        ("-142*m2*dy/r^3", 160.31243, 12),
        ("-184*dy/r^2", 913.83751, 8),
        ("-7.32*dy/r", 1520.9493, 6),
        ("-0.282*m2*dy", 1551.3437, 5),
        ("-0.474*dy", 1558.9756, 3),
        ("0.0148", 1570.0905, 1),
    ),
    ("r1", 2): (
        ("(4.53*m2*dy - 1.53*dx - 15.0*m2*dx)/r^2 - 0.209", 0.37839388, 22),
        ("(4.58*m2*dy - dx - 15.2*m2*dx)/r^2 - 0.227", 0.38, 20),
        ("(4.55*m2*dy - 15.5*m2*dx)/r^2 - 0.238", 0.42, 18),
        ("(4.59*m2*dy - 15.5*m2*dx)/r^2", 0.46575519, 16),
        ("(10.7*dy - 15.5*m2*dx)/r^2", 2.48, 14),
        ("(dy - 15.6*m2*dx)/r^2", 6.96, 12),
        ("-15.6*m2*dx/r^2", 7.93, 10),
        ("-34.8*dx/r^2", 31.17, 8),
        ("-8.71*dx/r", 68.345174, 6),
        ("-0.360*m2*dx", 85.743106, 5),
        ("-0.632*dx", 93.052677, 3),
        ("-dx", 96.708906, 2),
        ("-0.303", 103.29053, 1),
    ),
}
TABLE_4_SELECTED = {("r2", 2): 16, ("r1", 2): 16}
# Appendix C's examples, (law, dimension, model) -> (equation, whether it is the law).
EXAMPLES_C = {
    ("spring", 2, "l1"): ("1.36*dy + 0.60*dx - (0.60*dx + 1.37*dy)/r - 0.0025", True),
    ("r2", 3, "bottleneck"): ("(0.021*dx*m2 - 0.077*dy*m2)/r^3", True),
    ("discontinuous", 2, "l1"): ("IF(r > 2, 0.15*r*dy + 0.19*r*dx, 0) - 0.038", True),
    ("spring", 3, "kl"): ("0.57*dy + 0.32*dz", False),
    ("r1", 3, "standard"): ("(0.041 + m2*IF(dz > 0, 0.021, 0.067))/r", False),
}
# The pair energy that a FlatHGN learned of "a charge simulation", whose dimension is not told.
CHARGE_ENERGY = "0.0019*q1*q2/r - 0.0112 - 0.00143*q1 - 0.00112*q1*q2"
# What symbolic regression made of the raw features: acceleration of particle 2 along x, 6 bodies.
RAW_EQUATION = "0.426/(367*y4 - 1470) + 2.88e5*x1/(2.08e3*y4 + 446*y4^2) - 5.98e-5*x6 - 109*x1"
# Mean absolute error of the overdensity by formula; the network's on the halos it was fitted
# to and on the fifth held out, and the formula's on the same.
TABLE_6 = {"constant": 0.421, "simple": 0.121, "without_mass": 0.120, "with_mass": 0.0882}
CUTOFF = {"network": (0.0634, 0.142), "with_mass_cutoff": (0.0811, 0.0892)}


def cell_name(law: str, dim: int) -> str:
    """A cell as the paper's tables write it, e.g. 1/r²-2; of a law of one's own, yukawa-2."""
    # That is given as path/to/file.py:NAME; the name is enough to tell it by.
    return f"{LAW_NAMES.get(law, law.split(':')[-1].lower())}-{dim}"
