"""What a caller's functions say about the problem: checked, penalised and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import as_inexact, check_finite_array
from rnla.sketch._base import as_csr
from rnla.sketch._operator import is_sparse

Vector = NDArray[np.float64]
Function = Callable[[NDArray[Any]], Any]

# Squared column norms below this count as zero: their reciprocals would overflow.
_NOTHING = 1e-290


@dataclass(frozen=True)
class Point:
    """An iterate with gradient and value, None without an objective; both penalised."""

    x: NDArray[Any]
    value: float | None
    gradient: Vector


class Root:
    """The stacked root ``[B; diag(damp)]`` of the Hessian at one point.

    Parameters
    ----------
    B : ndarray or csr_array, shape (N, n)
        What ``hessian_root(x)`` returned.
    damp : ndarray, shape (n,)
        Square roots of the penalties.

    Attributes
    ----------
    norms : ndarray, shape (n,)
        Norms of the columns of the stacked root.
    n_matvec : int
        Products with the Hessian so far.
    """

    def __init__(self, B: Any, damp: Vector) -> None:
        self.B, self.damp = B, damp
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            if is_sparse(B):
                squares = np.bincount(B.indices, np.square(B.data, dtype=np.float64), B.shape[1])
            else:
                squares = np.einsum("ij,ij->j", B, B, dtype=np.float64)
        if not np.isfinite(squares).all():
            check_finite_array(B.data if is_sparse(B) else B, "hessian_root(x)")
            raise ValueError("`hessian_root(x)` must have entries whose squares are finite")
        total = squares + damp**2
        self.norms: Vector = np.sqrt(np.where(total > _NOTHING, total, 0.0))
        self.n_matvec = 0

    @property
    def scale(self) -> Vector:
        """Reciprocals of the column norms, and 1 for a zero column."""
        norms = self.norms
        return np.divide(1.0, norms, out=np.ones_like(norms), where=norms > 0)

    def scores(self) -> Vector:
        """Squared row norms of B with its columns scaled: probabilities for a sample of rows."""
        weights = self.scale**2
        if is_sparse(self.B):
            return np.asarray(self.B.multiply(self.B) @ weights)
        scores: Vector = np.einsum("ij,ij,j->i", self.B, self.B, weights, dtype=np.float64)
        return scores

    def normal(self, p: Vector) -> Vector:
        """Return the product of the Hessian with a vector: two readings of B."""
        self.n_matvec += 1
        # In the precision of B, which a vector in double precision would have copied.
        Bp = self.B @ p.astype(self.B.dtype, copy=False)
        product: Vector = (self.B.T @ Bp).astype(np.float64) + self.damp**2 * p
        return product


class Problem:
    """Minimise ``f(x) + ||damp * x||**2 / 2``, f as the caller's functions describe it.

    Parameters
    ----------
    gradient, hessian_root : callable
        Gradient of f and root of its Hessian.
    objective : callable or None
        The function f.
    damp : ndarray, shape (n,)
        Square roots of the penalties.
    """

    def __init__(
        self, gradient: Function, hessian_root: Function, objective: Function | None, damp: Vector
    ) -> None:
        self._gradient, self._hessian_root, self._objective = gradient, hessian_root, objective
        self.damp = damp
        self.eps = 0.0
        self.n_objective = self.n_gradient = self.n_hessian = self.n_matvec = 0

    def value(self, x: NDArray[Any]) -> float | None:
        """Return the penalised objective, which may be infinite or NaN."""
        if self._objective is None:
            return None
        self.n_objective += 1
        value = np.asarray(self._objective(x))
        if value.ndim != 0 or value.dtype.kind not in "fiub":
            raise ValueError(
                f"`objective(x)` must be one real number, got shape {value.shape} and dtype "
                f"{value.dtype}"
            )
        return float(value) + 0.5 * float(np.sum((self.damp * x) ** 2))

    def gradient(self, x: NDArray[Any]) -> Vector:
        """Return the gradient of the penalised objective, which may hold infinity or NaN."""
        self.n_gradient += 1
        gradient = _real(self._gradient(x), "gradient(x)")
        if gradient.shape != x.shape:
            raise ValueError(f"`gradient(x)` must have shape {x.shape}, got {gradient.shape}")
        # The certificate can be no better than the coarser of x and its gradient.
        self.eps = float(max(np.finfo(x.dtype).eps, np.finfo(gradient.dtype).eps))
        penalised: Vector = gradient.astype(np.float64) + self.damp**2 * x
        return penalised

    def point(self, x: NDArray[Any], value: float | None, gradient: Vector | None = None) -> Point:
        """Return the point at `x`, or raise where its gradient is not finite."""
        if gradient is None:
            gradient = self.gradient(x)
        check_finite_array(gradient, "gradient(x)")
        return Point(x, value, gradient)

    def start(self, x: NDArray[Any]) -> Point:
        """Return the point at `x`, or raise where the functions are not finite."""
        value = self.value(x)
        if value is not None and not np.isfinite(value):
            raise ValueError(f"`objective(x0)` must be finite, got {value}")
        return self.point(x, value)

    def root(self, x: NDArray[Any]) -> Root:
        """Return the root of the Hessian at `x`."""
        self.n_hessian += 1
        B = self._hessian_root(x)
        if is_sparse(B):
            if B.dtype.kind == "c":
                raise TypeError(f"`hessian_root(x)` must be real, got dtype {B.dtype}")
            B = as_csr(B, "hessian_root(x)")
        else:
            B = _real(B, "hessian_root(x)")
        if B.ndim != 2 or B.shape[1] != len(x):
            raise ValueError(f"`hessian_root(x)` must have shape (N, {len(x)}), got {B.shape}")
        return Root(B, self.damp)


def _real(array: Any, name: str) -> NDArray[Any]:
    result = as_inexact(array, name)
    if result.dtype.kind == "c":
        raise TypeError(f"`{name}` must be real, got dtype {result.dtype}")
    return result
