"""Least squares: methods, the choice between them, and backward errors."""

from rnla.lstsq._api import lstsq_refine
from rnla.lstsq._backward_error import backward_error
from rnla.lstsq._choose import choose_method
from rnla.lstsq._methods import LAPACK, SPIR, Choice, Gram
from rnla.lstsq._newton import newton_sketch
from rnla.lstsq._newton_result import NewtonResult

__all__ = [
    "LAPACK",
    "SPIR",
    "Choice",
    "Gram",
    "NewtonResult",
    "backward_error",
    "choose_method",
    "lstsq_refine",
    "newton_sketch",
]
