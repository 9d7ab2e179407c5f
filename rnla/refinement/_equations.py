"""The equation to be solved: the products that tell the truth, and the certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla._core.checks import as_inexact, inexact_dtype
from rnla.refinement._norms import column_norms, frobenius

# Power steps for the norm of an operator; the third already sees most of a smooth spectrum.
_POWER_STEPS = 6


class Linear:
    """A matrix or linear operator A of shape (m, n)."""

    linear = True

    def __init__(self, A: Any) -> None:
        self.entries: NDArray[Any] | None = None
        if issparse(A):
            self.A: Any = _compressed(A)
            self.entries = self.A.data
        elif is_operator(A):
            self.A = aslinearoperator(A)
        else:
            self.A = self.entries = as_inexact(A, "A")
            if self.A.ndim != 2:
                raise ValueError(f"`A` must have two axes or be callable, got {self.A.shape}")
        self.shape: tuple[int, int] = tuple(self.A.shape)
        self.dtype = inexact_dtype(self.A.dtype, "A")
        self.norm = 0.0  # until prepared
        self.n_matvec = 0
        self.certificate = (
            "backward error, norm estimated" if self.entries is None else "backward error"
        )

    def prepare(self, dtype: np.dtype[Any]) -> None:
        """Convert the entries to the working precision, once, and take the norm."""
        if self.entries is None:
            self.norm = self._estimated_norm(dtype)
            return
        self.norm = frobenius(self.entries)
        if not np.isfinite(self.norm):
            raise ValueError("`A` must not contain NaN, infinity or a norm beyond its range")
        # A product of mixed precision would convert A every time.
        self.A = self.A.astype(dtype, copy=False)

    def _estimated_norm(self, dtype: np.dtype[Any]) -> float:
        """Return a lower bound of ``||A||_2``, so that the backward error is never flattered."""
        m, n = self.shape
        if 0 in self.shape:
            return 0.0
        z = np.random.default_rng(0).standard_normal((n, 1)).astype(dtype)
        norm = 0.0
        for _ in range(_POWER_STEPS if m == n else 1):
            z /= column_norms(z)[0]
            z = self.product(z)
            size = float(column_norms(z)[0])
            if not np.isfinite(size):
                raise ValueError("`A` must not return NaN or infinity for a finite vector")
            norm = max(norm, size)
            if size == 0:
                break
        return norm

    def product(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A X`` in the precision of X."""
        self.n_matvec += X.shape[1]
        if self.entries is None:
            Y = np.asarray(self.A.matmat(X))
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                Y = np.asarray(self.A @ X)
        if Y.dtype.kind == "c" and X.dtype.kind != "c":
            raise TypeError(f"`A` has dtype {self.dtype} but returned {Y.dtype} for real x")
        return Y.astype(X.dtype, copy=False)

    def errors(
        self, r_norm: NDArray[np.float64], X: NDArray[Any], b_norm: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the normwise backward errors of Rigal and Gaches, one per column."""
        with np.errstate(over="ignore"):
            return _ratio(r_norm, self.norm * column_norms(X) + b_norm)

    def relative(
        self, r_norm: NDArray[np.float64], b_norm: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return ``||r|| / ||b||``."""
        return _ratio(r_norm, b_norm)


class Nonlinear:
    """A map F from vectors of length n to vectors of the length of b."""

    linear = False
    shape: tuple[int, int] | None = None
    certificate = "relative residual"

    def __init__(self, F: Callable[[NDArray[Any]], Any]) -> None:
        self.F = F
        self.n_matvec = 0
        self.first = 0.0

    def product(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``F(x)`` for the one column of X."""
        self.n_matvec += 1
        # A copy: what F does to its argument must not reach the iterate.
        value = np.asarray(self.F(X[:, 0].copy()))
        if value.ndim != 1:
            raise ValueError(
                f"`A` must return a vector of the shape of `b`, got shape {value.shape}"
            )
        if value.dtype.kind == "c" and X.dtype.kind != "c":
            raise TypeError("`A` must return real numbers for real x; make `b` or `x0` complex")
        return value[:, None].astype(X.dtype)

    def errors(
        self, r_norm: NDArray[np.float64], X: NDArray[Any], b_norm: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return ``||r|| / ||b||``, and for b = 0 the residual over the first one."""
        return self.relative(r_norm, b_norm)

    def relative(
        self, r_norm: NDArray[np.float64], b_norm: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return ``||r|| / ||b||``, and for b = 0 the residual over the first one."""
        if self.first == 0:
            self.first = float(r_norm[0])
        return _ratio(r_norm, np.where(b_norm > 0, b_norm, self.first))


Equation = Linear | Nonlinear


def as_equation(A: Any) -> Equation:
    """Wrap `A` by its kind; a callable that is no operator is nonlinear.

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator or callable
        As passed to `refine`.

    Returns
    -------
    Linear or Nonlinear
        With ``product``, ``errors`` and a count of products.
    """
    if callable(A) and not is_operator(A):
        return Nonlinear(A)
    return Linear(A)


def is_operator(A: Any) -> bool:
    """Tell whether `A` is a LinearOperator or looks like one.

    Parameters
    ----------
    A : object
        Anything.

    Returns
    -------
    bool
        True if it has ``matvec`` and ``shape``.
    """
    return isinstance(A, LinearOperator) or (hasattr(A, "matvec") and hasattr(A, "shape"))


def _compressed(A: Any) -> Any:
    if A.ndim != 2:
        raise ValueError(f"`A` must have two axes or be callable, got {A.shape}")
    # Other formats store padding or duplicates, which would enter the norm.
    compressed = A if A.format in ("csr", "csc") else csr_array(A)
    if not compressed.has_canonical_format:
        compressed = compressed.copy()
        compressed.sum_duplicates()
    return compressed.astype(inexact_dtype(compressed.dtype, "A"), copy=False)


def _ratio(r_norm: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(r_norm == 0, 0.0, r_norm / size)
