"""Any matrix as the least-squares solvers see it: sweeps, sketches and a Gram matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla._core.checks import as_inexact
from rnla.linalg.normal._base import NormalOperator
from rnla.linalg.normal._damped import DampedNormal
from rnla.linalg.normal._dense import DenseNormal
from rnla.linalg.normal._operator import OperatorNormal
from rnla.linalg.normal._single import SingleNormal
from rnla.linalg.normal._sparse import SparseNormal

__all__ = [
    "DampedNormal",
    "DenseNormal",
    "NormalOperator",
    "OperatorNormal",
    "SingleNormal",
    "SparseNormal",
    "as_normal",
]


def as_normal(A: Any, weights: NDArray[np.float64] | None = None) -> NormalOperator:
    """Wrap a matrix by its kind.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        The matrix.
    weights : ndarray of float64, shape (m,), optional
        Row weights, checked by the caller.

    Returns
    -------
    NormalOperator
        Dense, sparse or matrix-free.

    Raises
    ------
    TypeError
        If its dtype is not numeric.
    ValueError
        If it does not have two axes.
    """
    if isinstance(A, NormalOperator):
        return A
    if issparse(A):
        sparse: Any = A
        if sparse.ndim != 2:
            raise ValueError(f"`A` must have two axes, got shape {sparse.shape}")
        return SparseNormal(sparse, weights)
    if isinstance(A, LinearOperator) or (
        not isinstance(A, np.ndarray) and hasattr(A, "matvec") and hasattr(A, "shape")
    ):
        operator: Any = A
        return OperatorNormal(aslinearoperator(operator), weights)
    A = as_inexact(A, "A")
    if A.ndim != 2:
        raise ValueError(f"`A` must have two axes, got shape {A.shape}")
    return DenseNormal(A, weights)
