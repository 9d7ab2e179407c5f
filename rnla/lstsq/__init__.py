"""Least squares: methods, the choice between them, and backward errors."""

from rnla.lstsq._api import lstsq_refine
from rnla.lstsq._backward_error import backward_error
from rnla.lstsq._choose import choose_method
from rnla.lstsq._methods import LAPACK, SPIR, Choice, Gram

__all__ = [
    "LAPACK",
    "SPIR",
    "Choice",
    "Gram",
    "backward_error",
    "choose_method",
    "lstsq_refine",
]
