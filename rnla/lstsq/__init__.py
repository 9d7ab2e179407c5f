"""Least squares: methods, the choice between them, and backward errors."""

from rnla.lstsq._api import lstsq_refine
from rnla.lstsq._backward_error import backward_error
from rnla.lstsq._choose import choose_method
from rnla.lstsq._methods import (
    CGLS,
    FOSSILS,
    LAPACK,
    SIRR,
    SPIR,
    SPNE,
    Choice,
    Gram,
    IterativeSketching,
    SketchAndPrecondition,
    SketchAndSolve,
)
from rnla.lstsq._newton import newton_sketch
from rnla.lstsq._newton_result import NewtonResult
from rnla.lstsq._path import RidgePath, ridge_path

__all__ = [
    "CGLS",
    "FOSSILS",
    "LAPACK",
    "SIRR",
    "SPIR",
    "SPNE",
    "Choice",
    "Gram",
    "IterativeSketching",
    "NewtonResult",
    "RidgePath",
    "SketchAndPrecondition",
    "SketchAndSolve",
    "backward_error",
    "choose_method",
    "lstsq_refine",
    "newton_sketch",
    "ridge_path",
]
