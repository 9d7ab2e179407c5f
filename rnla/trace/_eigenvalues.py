"""Small or explicit matrices: LAPACK, and no error bar but rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from rnla._core.checks import check_finite_array
from rnla.trace._input import Operand
from rnla.trace._options import Options
from rnla.trace._quadrature import SpectralQuadrature
from rnla.trace._rules import Floats, Rule

_TILE_ENTRIES = 1 << 20
_EYE_COLUMNS = 64
# Entries that two ways of rounding make different by this many units are equal.
_ROUNDOFFS = 100


def check_hermitian(operand: Operand) -> None:
    """Raise if A is an array or a sparse matrix that is not Hermitian.

    Parameters
    ----------
    operand : Operand
        The matrix; operators are watched by the Lanczos runs.
    """
    A: Any = operand.source
    if isinstance(A, np.ndarray):
        off, size = _dense_asymmetry(A)
    elif issparse(A):
        off, size = _sparse_asymmetry(A, operand.dtype)
    else:
        return
    # NaN is found, and named, by the products.
    if off > _ROUNDOFFS * float(np.finfo(operand.dtype).eps) * size:
        raise ValueError(
            f"`A` must be Hermitian, but entries of A - A.conj().T are as large as {off:.3g}, "
            f"those of A {size:.3g}; pass (A + A.conj().T) / 2 if that is meant"
        )


def _sparse_asymmetry(A: Any, dtype: np.dtype[Any]) -> tuple[float, float]:
    # Small integers overflow, booleans have no difference, and it would sort the caller's indices.
    A = A.tocsr().astype(dtype, copy=True)
    difference = A - A.conj().T
    off = float(abs(difference).max()) if difference.nnz else 0.0
    return off, float(abs(A).max()) if A.nnz else 0.0


def _dense_asymmetry(A: NDArray[Any]) -> tuple[float, float]:
    n = len(A)
    off = size = 0.0
    rows = max(1, _TILE_ENTRIES // max(1, n))
    with np.errstate(invalid="ignore"):
        for start in range(0, n, rows):
            part = A[start : start + rows]
            part = part if part.dtype.kind in "fc" else part.astype(np.float64)
            twin = A[:, start : start + rows].conj().T
            off = max(off, float(np.abs(part - twin).max(initial=0.0)))
            size = max(size, float(np.abs(part).max(initial=0.0)))
    return off, size


def has_entries(operand: Operand) -> bool:
    """Return whether the entries of A are at hand, without products."""
    return isinstance(operand.source, np.ndarray) or issparse(operand.source)


def entries(operand: Operand, budget: int | None) -> NDArray[Any]:
    """Return A as an array, by products with the identity where it has to be.

    Parameters
    ----------
    operand : Operand
        Hermitian A, (n, n).
    budget : int or None
        Products that the caller allows.

    Returns
    -------
    ndarray, shape (n, n)
        In the working precision.

    Raises
    ------
    ValueError
        If that takes more products.
    """
    source: Any = operand.source
    n = operand.shape[1]
    if has_entries(operand):
        dense = source if isinstance(source, np.ndarray) else source.toarray()
        return np.asarray(dense, operand.dtype)
    if budget is not None and budget < n:
        raise ValueError(
            f"`matvecs` must be at least {n}, the rows of `A`, for method='exact', got {budget}"
        )
    A = np.empty((n, n), operand.dtype)
    for start in range(0, n, _EYE_COLUMNS):
        stop = min(n, start + _EYE_COLUMNS)
        A[:, start:stop] = operand.product(np.eye(n, stop - start, -start, operand.dtype))
    off, size = _dense_asymmetry(A)
    if off > np.cbrt(np.finfo(A.dtype).eps) * size:
        raise ValueError(
            f"`A` must be Hermitian, but entries of A - A.conj().T are as large as {off:.3g}, "
            f"those of A {size:.3g}"
        )
    return np.asarray((A + A.conj().T) / 2)


def exact_quadrature(operand: Operand, options: Options) -> SpectralQuadrature:
    """Return the eigenvalues of A as a quadrature.

    Parameters
    ----------
    operand : Operand
        Hermitian A, (n, n).
    options : Options
        With the products that the caller allows, and the level of the interval.

    Returns
    -------
    SpectralQuadrature
        With weights one.
    """
    A = entries(operand, options.budget)
    check_finite_array(A, "A")
    nodes: Floats = np.linalg.eigvalsh(A).astype(np.float64)
    return SpectralQuadrature(
        n=len(nodes),
        method="exact",
        n_matvec=operand.n_matvec,
        deflated=Rule(nodes=nodes, weights=np.ones(len(nodes)), steps=0),
        probes=(),
        eps=float(np.finfo(operand.dtype).eps),
        confidence=options.goal.confidence,
    )
