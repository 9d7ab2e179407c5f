"""Iterative refinement with any approximate solver."""

from rnla.refinement._api import refine
from rnla.refinement._result import RefineResult

__all__ = ["RefineResult", "refine"]
