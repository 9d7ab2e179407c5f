"""From the caller's arguments to a checked problem, and from its solution back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import aslinearoperator

from rnla._core.checks import (
    as_inexact,
    check_finite_array,
    check_int,
    check_positive_float,
)
from rnla._core.driver import Callback, State
from rnla._core.threads import even_parts, run_parts
from rnla.linalg.adopt import MOST_CONDITION, adopted
from rnla.linalg.factor import column_scale
from rnla.linalg.normal import DampedNormal, NormalOperator, as_normal
from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._problem import Problem
from rnla.lstsq._rounds import worst

_EXTREME = 1e100
_PIECE_ENTRIES = 1 << 17
# Rounding a solution moves its image by less than one unit of its precision, unless it underflows.
_ROUNDINGS = 4


def check_problem(
    A: Any,
    b: Any,
    *,
    damp: Any,
    weights: Any,
    x0: Any,
    rcond: Any,
    preconditioner: Any,
    tolerance: Any,
    maxiter: Any,
    callback: Callback | None,
    check_finite: bool,
) -> tuple[Problem, Restore]:
    """Check everything but the method; the names in messages are those of `lstsq_refine`."""
    normal = as_normal(A)
    m, n = normal.shape
    unit = 1.0
    if weights is not None:
        w = _checked_weights(weights, m)
        # Squares of extreme weights leave the range: the largest is brought to about one.
        unit = float(1 / column_scale(np.sqrt(np.max(w, initial=0.0))))
        normal = as_normal(A, w / unit / unit)
    B = as_inexact(b, "b")
    if B.ndim not in (1, 2) or B.shape[0] != m:
        raise ValueError(
            f"`b` must have shape ({m},) or ({m}, k) to go with `A` of shape {normal.shape}, "
            f"got {B.shape}"
        )
    if check_finite:
        check_finite_array(B, "b")
    if callback is not None and not callable(callback):
        raise TypeError(f"`callback` must be callable, got {callback!r}")
    restore = Restore(normal, B, unit)
    columns = np.asarray(normal.rooted(restore.working(B), 0))
    X0 = None if x0 is None else _checked_start(x0, B, n, restore)
    damp = check_positive_float(damp, "damp") / unit
    if damp:
        columns = np.vstack([columns, np.zeros((n, columns.shape[1]), columns.dtype)])
        normal = DampedNormal(normal, damp)
    problem = Problem(
        A=normal,
        B=columns,
        rcond=check_positive_float(rcond, "rcond", below=1.0),
        tolerance=check_positive_float(tolerance, "rtol", below=1.0),
        maxiter=None if maxiter is None else check_int(maxiter, "maxiter", 0),
        callback=callback,
        X0=X0,
        P=_checked_preconditioner(preconditioner, normal),
    )
    return problem, restore


def _checked_weights(weights: Any, m: int) -> NDArray[np.float64]:
    w = as_inexact(weights, "weights")
    if w.dtype.kind == "c":
        raise TypeError("`weights` must be real")
    if w.shape != (m,):
        raise ValueError(f"`weights` must have shape ({m},), got {w.shape}")
    check_finite_array(w, "weights")
    if len(w) and w.min() < 0:
        raise ValueError(f"`weights` must not be negative, got {w.min()}")
    return w.astype(np.float64, copy=False)


def _checked_start(x0: Any, B: NDArray[Any], n: int, restore: Restore) -> NDArray[Any]:
    X0 = as_inexact(x0, "x0")
    expected = (n, *B.shape[1:])
    if X0.shape != expected:
        raise ValueError(f"`x0` must have shape {expected}, got {X0.shape}")
    check_finite_array(X0, "x0")
    if X0.dtype.kind == "c" and np.dtype(restore.dtype).kind != "c":
        raise TypeError("`x0` must be real for real `A` and `b`")
    return restore.start(X0)


def _checked_preconditioner(P: Any, A: NormalOperator) -> Preconditioner | None:
    if P is None:
        return None
    n = min(A.inner.shape if isinstance(A, DampedNormal) else A.shape)
    if not isinstance(P, Preconditioner):
        return _adopted_preconditioner(P, A, n)
    if P.shape[0] != n:
        raise ValueError(
            f"`preconditioner` must have {n} rows for `A` of shape {A.shape}, got shape {P.shape}"
        )
    if P.dtype.kind == "c" and A.dtype.kind != "c":
        raise TypeError("`preconditioner` must be real for a real `A`")
    return P


def _adopted_preconditioner(P: Any, A: NormalOperator, n: int) -> Preconditioner:
    try:
        shape = aslinearoperator(P).shape
    except (TypeError, ValueError) as error:
        raise TypeError(
            "`preconditioner` must come from `result.preconditioner` or be a matrix or "
            f"LinearOperator, got {type(P).__name__}"
        ) from error
    if shape != (n, n):
        raise ValueError(
            f"`preconditioner` must have shape {(n, n)} for `A` of shape {A.shape}, got {shape}"
        )
    M = as_inexact(aslinearoperator(P).matmat(np.eye(n)), "preconditioner")
    check_finite_array(M, "preconditioner")
    if M.dtype.kind == "c" and A.dtype.kind != "c":
        raise TypeError("`preconditioner` must be real for a real `A`")
    adopted_one, condition = adopted(M.astype(A.dtype), A.tall)
    if adopted_one is None or not condition <= MOST_CONDITION:
        raise ValueError(
            f"`preconditioner` leaves a condition number of at least {condition:.1e} in `A` times "
            f"it, and the certificate needs at most {MOST_CONDITION:.0f}; leave it out"
        )
    return adopted_one


class Restore:
    """How the caller's right-hand sides became columns, and how solutions go back."""

    def __init__(self, A: NormalOperator, B: NDArray[Any], weight_unit: float) -> None:
        self.vector = B.ndim == 1
        self.split = B.dtype.kind == "c" and A.dtype.kind != "c"
        self.dtype = np.result_type(A.stored_dtype, B.dtype)
        self.working_dtype = A.dtype
        # There the size of each row of A decides what is small, and the solver scales by that.
        self.wide = A.shape[0] < A.shape[1]
        self.unit: Any = 1.0
        self.weight_unit = weight_unit

    def working(self, B: NDArray[Any]) -> NDArray[Any]:
        columns = B[:, None] if B.ndim == 1 else B
        if self.split:
            columns = np.hstack([columns.real, columns.imag])
        columns = columns.astype(self.working_dtype, copy=False)
        largest = _largest(columns)
        extreme = (largest > 0) & ~((largest > 1 / _EXTREME) & (largest < _EXTREME))
        if extreme.any() and not self.wide:
            # Powers of two, so exact: squares of extreme numbers leave the range.
            self.unit = np.where(extreme, 1 / column_scale(largest), 1.0)
            columns = columns / self.unit
        return columns

    def start(self, X0: NDArray[Any]) -> NDArray[Any]:
        """Return the caller's guess in working form."""
        columns = X0[:, None] if X0.ndim == 1 else X0
        if self.split:
            columns = np.hstack([columns.real, columns.imag])
        # What overflows here is beyond any solution, and is dropped where the start is chosen.
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(columns.astype(self.working_dtype) / self.unit)

    def solution(self, X: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(over="ignore"):
            X = X * self.unit
            if self.split:
                half = X.shape[1] // 2
                X = X[:, :half] + 1j * X[:, half:]
            result = (X[:, 0] if self.vector else X).astype(self.dtype)
        if np.isinf(result).any() and not np.isinf(X).any():
            raise ValueError(
                f"the solution, up to {np.abs(X).max():.1e}, does not fit {self.dtype}: "
                "convert `A` or `b` to double precision"
            )
        return result

    def certificate(self, state: State, x: NDArray[Any], tolerance: float) -> tuple[float, bool]:
        """Return the error of `x` from `solution`, and whether rounding left it what it can be."""
        if np.dtype(self.dtype).char in "dD":
            return state.error, True
        assert state.recertify is not None  # the driver returns certified states only
        error = worst(state.recertify(self.start(x)))
        return error, error <= max(tolerance, state.error, _ROUNDINGS * np.finfo(self.dtype).eps)

    def norms(self, norms: NDArray[np.float64]) -> Any:
        norms = norms * self.unit * self.weight_unit
        if self.split:
            half = len(norms) // 2
            norms = np.hypot(norms[:half], norms[half:])
        return float(norms[0]) if self.vector else norms


def _largest(columns: NDArray[Any]) -> NDArray[np.float64]:
    """Return the largest modulus in each column."""
    m, k = columns.shape
    if columns.dtype.kind == "c":
        return np.asarray(np.abs(columns).max(axis=0, initial=0.0))
    # Without an array of all the moduli; the second look at a piece finds it in the cache.
    parts = even_parts(m, max(1, m * k // _PIECE_ENTRIES))
    largest = np.zeros((max(1, len(parts)), k))

    def task(part: int, start: int, stop: int) -> None:
        piece = columns[start:stop]
        top, bottom = piece.max(axis=0, initial=0.0), piece.min(axis=0, initial=0.0)
        largest[part] = np.maximum(top, -bottom)

    run_parts(task, [(part, *ends) for part, ends in enumerate(parts)])
    return np.asarray(largest.max(axis=0))
