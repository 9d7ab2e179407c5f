"""Eigenpairs and singular triplets."""

from rnla.eigen._result import EigenResult
from rnla.eigen._svds import svds

__all__ = ["EigenResult", "svds"]
