"""A matrix as the estimators see it: products with blocks of vectors, counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla._core.checks import (
    as_inexact,
    check_finite_array,
    check_int,
    check_unmasked,
    inexact_dtype,
)
from rnla.linalg.spmm import checked_rows, multiply_csr

BLOCK = 32
# GEMM is half as fast again with so many columns as with 32.
WIDE_BLOCK = 96
# Products up to these powers of two, and no smaller than their inverses, can be multiplied with A
# once more, squared and summed; and those of a unit that vectors are divided by without loss.
_RANGE = {"d": 332, "f": 20}
_UNITS = {"d": 1000, "f": 120}
_KINDS = "an array, a sparse matrix, a LinearOperator, or a callable with `shape`"
Product = Callable[[NDArray[Any]], Any]


class Operand:
    """A matrix A of shape (m, n) that is known by products with blocks of vectors.

    Attributes
    ----------
    shape : (int, int)
        Of A.
    dtype : dtype
        Working precision: float32, float64, complex64 or complex128.
    n_matvec : int
        Products with A and its adjoint so far, one per column.
    width : int
        How many vectors to draw and multiply at once where they are not kept. For a dense array
        it is a constant: there the bits of a column of the product depend on the columns beside it.
    hermitian : bool
        If True, the adjoint is A itself.
    semidefinite : bool
        If True, A is Hermitian and positive semidefinite.
    rescaled : bool
        If True, products are in units of a power of two that the first one sets, so that squares
        of matrices near the ends of the range are within it.
    unit : float
        That power, 1 where it is not needed.
    step : int
        How many matrices came before it in a sequence: equal seeds draw other vectors for each.
    source : object
        What the caller passed.
    """

    def __init__(
        self,
        source: Any,
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        apply: Product,
        apply_adjoint: Product | None,
        *,
        block: int,
        split: bool,
        dense: bool = False,
        probe: Product | None = None,
    ) -> None:
        self.source, self.shape, self.dtype = source, shape, dtype
        self.width = WIDE_BLOCK if dense else block
        self.n_matvec = self.step = 0
        self.hermitian = self.semidefinite = self.rescaled = False
        self.unit = 1.0
        self._unit_is_set = False
        self._apply, self._apply_adjoint, self._probe = apply, apply_adjoint, probe
        self._block = block if split else None

    @property
    def real_dtype(self) -> np.dtype[Any]:
        """Float32 or float64, as the real part of `dtype`."""
        real: np.dtype[Any] = self.dtype.type(0).real.dtype
        return real

    @cached_property
    def has_adjoint(self) -> bool:
        """Whether products with the adjoint can be formed; tried on a zero vector."""
        if self.hermitian:
            return True
        if self._apply_adjoint is None:
            return False
        if self._probe is not None:
            try:
                self._probe(np.zeros(self.shape[0], self.dtype))
            except NotImplementedError:
                return False
        return True

    def product(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A X`` for X of shape (n, k)."""
        return self._counted(self._apply, X, self.shape[0], "A")

    def adjoint_product(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A* X`` for X of shape (m, k).

        Raises
        ------
        TypeError
            If there is no adjoint.
        """
        if self.hermitian:
            return self.product(X)
        self.require_adjoint("this")
        assert self._apply_adjoint is not None  # as there is one
        return self._counted(self._apply_adjoint, X, self.shape[1], "adjoint")

    def require_adjoint(self, what: str) -> None:
        """Raise TypeError, for the sake of `what`, if there is no adjoint."""
        if not self.has_adjoint:
            raise TypeError(
                f"`A` must have products with its adjoint for {what}, and has none: pass "
                "`adjoint`, or give the LinearOperator an `rmatvec` or `rmatmat`"
            )

    def _counted(self, apply: Product, X: NDArray[Any], rows: int, name: str) -> NDArray[Any]:
        width = X.shape[1]
        self.n_matvec += width
        if self.unit != 1.0:
            # Before and not after: products with products would overflow.
            X = X * X.dtype.type(1 / self.unit)
        if self._block is None:
            return self._in_units(self._checked(apply(X), X, rows, name))
        if width <= self._block:
            # A copy, for the memory may be the operator's own, and used again the next time.
            return self._in_units(self._checked(apply(X), X, rows, name).copy())
        out = np.empty((rows, width), self.dtype)
        for start in range(0, width, self._block):
            part = slice(start, start + self._block)
            piece = np.ascontiguousarray(X[:, part])
            out[:, part] = self._checked(apply(piece), piece, rows, name)
        return self._in_units(out)

    def _in_units(self, Y: NDArray[Any]) -> NDArray[Any]:
        if self.rescaled and not self._unit_is_set:
            size = max((float(np.abs(y).max(initial=0.0)) for y in Y.T), default=0.0)
            self._unit_is_set = size > 0
            precision = self.real_dtype.char
            exponent = int(np.frexp(size)[1])
            if abs(exponent) > _RANGE[precision]:
                self.unit = 2.0 ** int(np.clip(exponent, -_UNITS[precision], _UNITS[precision]))
                Y = Y * Y.dtype.type(1 / self.unit)
        return Y

    def _checked(self, Y: Any, X: NDArray[Any], rows: int, name: str) -> NDArray[Any]:
        if issparse(Y):
            raise TypeError(f"`{name}` must return an array of numbers, got a sparse one")
        check_unmasked(Y, f"{name} @ vectors")
        try:
            Y = np.asarray(Y)
        except ValueError as error:
            raise ValueError(f"`{name}` must return an array of numbers: {error}") from None
        if Y.shape != (rows, X.shape[1]):
            raise ValueError(
                f"`{name}` must map a block of shape {X.shape} to {(rows, X.shape[1])}, "
                f"got {Y.shape}"
            )
        if Y.dtype.kind == "c" and self.dtype.kind != "c":
            raise TypeError(
                f"`{name}` must return real numbers, as its dtype is {self.dtype}, got {Y.dtype}; "
                "give it a complex dtype"
            )
        if Y.dtype.kind not in "fciub":
            raise TypeError(f"`{name}` must return an array of numbers, got dtype {Y.dtype}")
        result: NDArray[Any] = Y.astype(self.dtype, copy=False)
        check_finite_array(result, f"{name} @ vectors")
        return result


def as_operand(
    A: Any,
    *,
    shape: tuple[int, int] | int | None = None,
    dtype: Any = None,
    adjoint: Any = None,
    block: int | None = None,
    hermitian: bool = False,
    square: bool = True,
) -> Operand:
    """Wrap whatever has products with vectors.

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator or callable
        A callable maps a block of vectors, shape (n, k), to shape (m, k).
    shape : (int, int) or int, optional
        Of a callable, and only of one; n means (n, n).
    dtype : dtype, optional
        Of a callable, and only of one; default float64.
    adjoint : callable or LinearOperator, optional
        Products with the adjoint for a callable, or an operator that lacks them.
    block : int, optional
        Vectors that an operator or a callable gets at once, and that are drawn at once where they
        are not kept; default 32.
    hermitian : bool
        The caller says so: the adjoint is A itself.
    square : bool
        Refuse what is not.

    Returns
    -------
    Operand
        With its count of products at zero.

    Raises
    ------
    TypeError
        If A, or an option for it, has the wrong type.
    ValueError
        If a shape does not fit.
    """
    block = BLOCK if block is None else check_int(block, "block", 1)
    if isinstance(A, Operand):
        raise TypeError(
            f"`A` must be {_KINDS}, got the `source` of an estimate; pass the matrix itself"
        )
    if issparse(A) or isinstance(A, np.ndarray) or not (is_operator(A) or callable(A)):
        operand = _from_entries(A, block)
        _refuse("array", shape=shape, dtype=dtype, adjoint=adjoint)
    elif is_operator(A):
        operand = _from_operator(A, adjoint, block)
        _refuse("LinearOperator", shape=shape, dtype=dtype)
    else:
        operand = _from_callable(A, shape, dtype, adjoint, block)
    m, n = operand.shape
    if square and m != n:
        raise ValueError(f"`A` must be square, got shape {operand.shape}")
    operand.hermitian = hermitian
    return operand


def is_operator(A: Any) -> bool:
    """Return whether `A` is a LinearOperator or quacks like one."""
    return isinstance(A, LinearOperator) or (hasattr(A, "matvec") and hasattr(A, "shape"))


def _refuse(kind: str, **options: Any) -> None:
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"`{name}` must be left out, as `A` is of type {kind} and has its own")


def _from_entries(A: Any, block: int) -> Operand:
    dense = not issparse(A)
    if dense:
        A = as_inexact(A, "A")
    source = A
    if A.ndim != 2:
        raise ValueError(f"`A` must have two axes, got shape {A.shape}")
    dtype = inexact_dtype(A.dtype, "A")
    if not dense:
        A = A if A.format in ("csr", "csc") else csr_array(A)
        A = A if A.dtype == dtype else A.astype(dtype)
    by_rows = not dense and A.format == "csr"
    if by_rows:
        A = checked_rows(A)

    # Rows of X^T pass along rows of A: BLAS does that in two thirds of the time of A X.
    def apply(X: NDArray[Any]) -> Any:
        if by_rows:
            return multiply_csr(A, X)
        with np.errstate(over="ignore", invalid="ignore"):
            return (X.T @ A.T).T if dense else A @ X

    def apply_adjoint(X: NDArray[Any]) -> Any:
        # conj(A).T would be a copy of A.
        X = X.conj() if dtype.kind == "c" else X
        with np.errstate(over="ignore", invalid="ignore"):
            Y = (X.T @ A).T if dense else A.T @ X
        return Y.conj() if dtype.kind == "c" else Y

    return Operand(
        source, A.shape, dtype, apply, apply_adjoint, block=block, split=False, dense=dense
    )


def _from_operator(A: Any, adjoint: Any, block: int) -> Operand:
    operator = aslinearoperator(A)
    m, n = operator.shape
    dtype = inexact_dtype(operator.dtype, "A")
    apply_adjoint = (
        _on_copies(operator.rmatmat) if adjoint is None else _adjoint_of(adjoint, (m, n))
    )
    # SciPy's operators have `rmatvec` whether it works or not; what `rmatmat` raises varies.
    probe = operator.rmatvec if adjoint is None else None
    product = _on_copies(operator.matmat)
    return Operand(A, (m, n), dtype, product, apply_adjoint, block=block, split=True, probe=probe)


def _from_callable(A: Any, shape: Any, dtype: Any, adjoint: Any, block: int) -> Operand:
    if shape is None:
        raise TypeError(f"`A` must be {_KINDS}: `shape` is missing")
    try:
        m, n = (shape, shape) if np.ndim(shape) == 0 else shape
    except (TypeError, ValueError):
        raise ValueError(f"`shape` must be (m, n) or n, got {shape!r}") from None
    m, n = check_int(m, "shape", 0), check_int(n, "shape", 0)
    apply_adjoint = None if adjoint is None else _adjoint_of(adjoint, (m, n))
    try:
        dtype = np.dtype(np.float64 if dtype is None else dtype)
    except TypeError as error:
        raise TypeError(f"`dtype` must be a dtype, got {dtype!r}: {error}") from None
    dtype = inexact_dtype(dtype, "dtype")
    return Operand(A, (m, n), dtype, _on_copies(A), apply_adjoint, block=block, split=True)


def _on_copies(product: Product) -> Product:
    """Keep what a callable or an operator does to its argument away from the test vectors."""
    return lambda X: product(X.copy())


def _adjoint_of(adjoint: Any, shape: tuple[int, int]) -> Product:
    if is_operator(adjoint):
        operator = aslinearoperator(adjoint)
        if operator.shape != shape[::-1]:
            raise ValueError(f"`adjoint` must have shape {shape[::-1]}, got {operator.shape}")
        return _on_copies(operator.matmat)
    if not callable(adjoint):
        raise TypeError(f"`adjoint` must be a callable or a LinearOperator, got {adjoint!r}")
    return _on_copies(adjoint)
