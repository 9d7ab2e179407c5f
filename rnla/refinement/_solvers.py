"""Whatever approximates the inverse, behind one call: residuals in, corrections out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, lu_solve
from scipy.sparse import issparse
from scipy.sparse.linalg import SuperLU, aslinearoperator

from rnla.refinement._equations import is_operator
from rnla.refinement._norms import column_norms, power_of_two

_NAME = "`approximate_solver`"
Apply = Callable[[NDArray[Any]], NDArray[Any]]


class Solver:
    """An approximate inverse that maps (m, k) to (n, k), and the count of its applications.

    Parameters
    ----------
    apply : callable
        Maps a block of residuals to a block of corrections.
    n : int or None
        Rows of the corrections; None: what the first application returns.
    dtype : dtype or None
        What a factorization was computed in; residuals are converted to it and have norm one.
        None: residuals come in the working precision and, for a linear equation, at the size of b,
        where an approximation of any kind can be expected to be good.
    real : bool
        Whether real and imaginary parts must be handed over separately.
    """

    def __init__(
        self,
        apply: Apply,
        n: int | None,
        *,
        dtype: np.dtype[Any] | None = None,
        real: bool = False,
    ) -> None:
        self.apply = apply
        self.n = n
        self.dtype = dtype
        self.real = real
        self.n_solves = 0

    def __call__(self, R: NDArray[Any]) -> NDArray[Any]:
        """Return ``B(R)`` in the precision of R; NaN and infinity pass through."""
        self.n_solves += R.shape[1]
        out = self._apply(R)
        if out.dtype.kind not in "biufc":
            raise TypeError(f"{_NAME} must return numbers, got dtype {out.dtype}")
        if out.dtype.kind == "c" and R.dtype.kind != "c":
            raise TypeError(f"{_NAME} must return real numbers for real residuals, got {out.dtype}")
        if self.n is None:
            self.n = len(out)
        if out.shape != (self.n, R.shape[1]):
            raise ValueError(
                f"{_NAME} must return shape ({self.n},) for each residual of shape "
                f"({R.shape[0]},), got {out.shape[:1]}"
            )
        with np.errstate(over="ignore"):
            return out.astype(R.dtype, copy=False)

    def correct(self, R: NDArray[Any], size: NDArray[np.float64]) -> NDArray[Any]:
        """Return ``t B(R / t)`` with t, a power of two, so that ``R / t`` is as large as `size`.

        For a linear B that is B(R). But a factor in single precision would lose a small residual
        to underflow, and a nonlinear B is good only at the size it was made for.
        """
        target = np.ones_like(size) if self.dtype is not None else size
        unit = power_of_two(column_norms(R))
        X = self((R / unit * target).astype(R.dtype))
        with np.errstate(over="ignore", invalid="ignore"):
            return (X / target * unit).astype(R.dtype)

    def _apply(self, R: NDArray[Any]) -> NDArray[Any]:
        if self.real and R.dtype.kind == "c":
            real, imaginary = self._apply(R.real.copy()), self._apply(R.imag.copy())
            with np.errstate(invalid="ignore"):
                return real + 1j * imaginary
        return self.apply(R if self.dtype is None else R.astype(self.dtype, copy=False))


def as_solver(B: Any, shape: tuple[int, int] | None) -> Solver:
    """Wrap an approximate solver by its kind.

    Parameters
    ----------
    B : object
        As passed to `refine`.
    shape : (int, int) or None
        Of A, if A is linear.

    Returns
    -------
    Solver
        Maps residuals (m, k) to corrections (n, k).

    Raises
    ------
    TypeError
        If it is not clear how `B` is to be applied.
    ValueError
        If its shape does not go with A.
    """
    if isinstance(B, tuple):
        return _factored(B, shape)
    n = None if shape is None else shape[1]
    if isinstance(B, SuperLU):
        _check_shape(B.shape, shape)
        # Zeros in the lowest precision come back in that of the factors, which has no other name.
        dtype = B.solve(np.zeros((B.shape[0], 1), np.float32)).dtype
        return Solver(B.solve, B.shape[0], dtype=dtype, real=dtype.kind != "c")
    if is_operator(B):
        P: Any = aslinearoperator(B)
        _check_shape(P.shape, shape)
        real = P.dtype is not None and P.dtype.kind != "c"
        return Solver(lambda R: np.asarray(P.matmat(R)), P.shape[0], real=real)
    if not isinstance(B, type):
        if callable(getattr(B, "solve", None)):
            return Solver(_by_columns(B.solve, n), n)
        if callable(getattr(B, "predict", None)):
            return Solver(_by_rows(B.predict), n, real=True)
        if callable(B):
            return Solver(_by_columns(B, n), n)
    hint = ""
    if isinstance(B, np.ndarray) or issparse(B):
        hint = (
            "; wrap an approximate inverse in scipy.sparse.linalg.aslinearoperator, factor an "
            "approximation of `A` with lu_factor or splu"
        )
    raise TypeError(
        f"{_NAME} must be a callable, a LinearOperator, an object with `solve` or `predict`, or "
        f"the tuple of lu_factor or cho_factor, got {type(B).__name__}{hint}"
    )


def _factored(B: tuple[Any, ...], shape: tuple[int, int] | None) -> Solver:
    solve: Callable[..., Any] | None = None
    if len(B) == 2 and isinstance(B[0], np.ndarray) and B[0].ndim == 2:
        factor, second = B
        if isinstance(second, np.ndarray) and second.dtype.kind in "iu":
            solve = lu_solve if second.shape == factor.shape[:1] else None
        elif np.ndim(second) == 0 and np.asarray(second).dtype.kind == "b":
            # A bool, or since SciPy 1.18 an array of one.
            solve = cho_solve
    if solve is None or factor.shape[0] != factor.shape[1] or factor.dtype.kind not in "fc":
        raise TypeError(
            f"{_NAME} must be the tuple of scipy.linalg.lu_factor or cho_factor if it is a tuple"
        )
    _check_shape(factor.shape, shape)
    apply = solve
    return Solver(
        lambda R: np.asarray(apply(B, R, check_finite=False)),
        len(factor),
        dtype=factor.dtype,
        real=factor.dtype.kind != "c",
    )


def _check_shape(have: tuple[int, ...], shape: tuple[int, int] | None) -> None:
    if shape is not None and tuple(have) != shape[::-1]:
        raise ValueError(
            f"{_NAME} must have shape {shape[::-1]} to go with `A` of shape {shape}, got {have}"
        )


def _by_columns(solve: Callable[[NDArray[Any]], Any], n: int | None) -> Apply:
    def apply(R: NDArray[Any]) -> NDArray[Any]:
        columns = []
        for j in range(R.shape[1]):
            # Copies: the solver may work in place, in its argument or in a buffer of its own.
            x = np.array(solve(R[:, j].copy()))
            if x.ndim == 2 and x.shape[1] == 1:
                x = x[:, 0]
            if x.ndim != 1 or (n is not None and len(x) != n):
                raise ValueError(
                    f"{_NAME} must return shape ({'n' if n is None else n},) for a residual of "
                    f"shape {R.shape[:1]}, got {x.shape}"
                )
            columns.append(x)
        return np.stack(columns, axis=1)

    return apply


def _by_rows(predict: Callable[[NDArray[Any]], Any]) -> Apply:
    def apply(R: NDArray[Any]) -> NDArray[Any]:
        # The value at zero is taken off: an intercept would move the fixed point.
        rows = np.vstack([R.T, np.zeros((1, R.shape[0]), R.dtype)])
        X = np.asarray(predict(rows))
        if X.ndim == 1:
            X = X[:, None]
        if X.ndim != 2 or len(X) != len(rows):
            raise ValueError(
                f"{_NAME} must predict one row for each of {len(rows)} rows, got shape {X.shape}"
            )
        with np.errstate(invalid="ignore"):
            return np.asarray((X[:-1] - X[-1]).T)

    return apply
