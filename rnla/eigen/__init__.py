"""Eigenpairs and singular triplets."""

from rnla.eigen._result import EigenResult

__all__ = ["EigenResult"]
