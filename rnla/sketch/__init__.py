"""Random sketching operators, each a SciPy ``LinearOperator`` with ``E[S.T @ S] = I``."""

from typing import Any

from rnla.sketch._base import SketchingOperator
from rnla.sketch._dense import Gaussian, Rademacher
from rnla.sketch._leverage import leverage_scores
from rnla.sketch._sampling import RowSampling
from rnla.sketch._sparse_sign import CountSketch, SparseSign
from rnla.sketch._srht import SRHT

__all__ = [
    "SRHT",
    "CountSketch",
    "Gaussian",
    "Rademacher",
    "RowSampling",
    "SketchingOperator",
    "SparseSign",
    "leverage_scores",
]

# Families that solvers accept by name.
SKETCHES: dict[str, Any] = {
    "count_sketch": CountSketch,
    "gaussian": Gaussian,
    "rademacher": Rademacher,
    "sparse_sign": SparseSign,
    "srht": SRHT,
}
