"""Eigenpairs and singular triplets."""

from rnla.eigen._api import eigsh, solve
from rnla.eigen._epsi import epsi
from rnla.eigen._errors import EigenNoConvergence
from rnla.eigen._result import EigenResult
from rnla.eigen._svds import svds

__all__ = ["EigenNoConvergence", "EigenResult", "eigsh", "epsi", "solve", "svds"]
