"""Random sketching operators, each a SciPy ``LinearOperator`` with ``E[S.T @ S] = I``."""

from typing import Any

from rnla.sketch._base import SketchingOperator
from rnla.sketch._sparse_sign import CountSketch, SparseSign

__all__ = ["CountSketch", "SketchingOperator", "SparseSign"]

# Families that solvers accept by name.
SKETCHES: dict[str, Any] = {"sparse_sign": SparseSign, "count_sketch": CountSketch}
