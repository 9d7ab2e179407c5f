"""The sketch families that solvers accept by name."""

from typing import Any

from rnla.sketch._dense import Gaussian, Rademacher
from rnla.sketch._sparse_sign import CountSketch, SparseSign
from rnla.sketch._srht import SRHT

SKETCHES: dict[str, Any] = {
    "sparse_sign": SparseSign,
    "count_sketch": CountSketch,
    "srht": SRHT,
    "gaussian": Gaussian,
    "rademacher": Rademacher,
}
