"""Any matrix as solvers with blocks of vectors see it: ``A X``, ``A^H X`` and what they cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla._core.checks import as_inexact, inexact_dtype
from rnla._core.scan import largest_entry
from rnla.linalg.chebyshev import chebyshev_csr
from rnla.linalg.operator_methods import implementation, multiplies_blocks, overrides
from rnla.linalg.skinny import multiplied_in_one_reading
from rnla.linalg.spmm import by_real_parts, checked_rows, multiply_csr

# GEMM on so few columns is slower than as many GEMVs.
_FEW_COLUMNS = 3
_EYE_COLUMNS = 64


class BlockOperator(ABC):
    """A matrix that multiplies blocks of columns and counts what it did.

    Parameters
    ----------
    shape : tuple of int
        ``(m, n)``.
    dtype : dtype
        Working precision: blocks are converted to it, or to its complex twin if they are complex.

    Attributes
    ----------
    n_matvec : int
        Columns multiplied, by A or its adjoint.
    n_passes : int
        Blocks multiplied.
    """

    def __init__(self, shape: tuple[int, int], dtype: Any) -> None:
        self.shape = (int(shape[0]), int(shape[1]))
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.n_matvec = 0
        self.n_passes = 0

    def product(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A X``, a new array.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            Any layout.

        Returns
        -------
        ndarray, shape (m, b)
            In the working precision.
        """
        return self._counted(self._product, X, self.shape[1])

    def adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A^H X``, a new array.

        Parameters
        ----------
        X : ndarray, shape (m, b)
            Any layout.

        Returns
        -------
        ndarray, shape (n, b)
            In the working precision.
        """
        return self._counted(self._adjoint, X, self.shape[0])

    def _counted(self, apply: Any, X: NDArray[Any], rows: int) -> NDArray[Any]:
        if X.ndim != 2 or X.shape[0] != rows:
            raise ValueError(f"a block of shape ({rows}, b) is needed, got {X.shape}")
        self.count(1, X.shape[1])
        result: NDArray[Any] = apply(self._converted(X))
        return result

    def count(self, products: int, width: int = 1) -> None:
        """Count products that are made.

        Parameters
        ----------
        products : int
            Blocks multiplied.
        width : int, default 1
            Columns of each.
        """
        self.n_matvec += products * width
        self.n_passes += products

    def _converted(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return a block in the working precision."""
        dtype = np.result_type(self.dtype, np.complex64) if X.dtype.kind == "c" else self.dtype
        return X.astype(dtype, copy=False)

    @abstractmethod
    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A X`` for a block that was checked."""

    @abstractmethod
    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A^H X`` for a block that was checked."""

    def todense(self) -> NDArray[Any]:
        """Return all entries; a matrix-free operator multiplies the identity, which counts."""
        m, n = self.shape
        A = np.empty((m, n), self.dtype)
        for start in range(0, n, _EYE_COLUMNS):
            stop = min(n, start + _EYE_COLUMNS)
            A[:, start:stop] = self.product(np.eye(n, stop - start, -start, self.dtype))
        return A


class DenseBlock(BlockOperator):
    """An array, multiplied by NumPy's BLAS."""

    def __init__(self, A: NDArray[Any]) -> None:
        super().__init__(A.shape, A.dtype)
        self.A = A if A.flags.forc and A.flags.aligned else np.array(A, order="C")

    @cached_property
    def largest(self) -> float:
        """Absolute value of the largest entry; NaN or infinite where one is."""
        return largest_entry(self.A)

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        if self.dtype.kind != "c" and X.dtype.kind == "c":
            return by_real_parts(self._product, X)
        product = multiplied_in_one_reading(self.A, X)
        if product is not None:
            return product
        if X.shape[1] <= _FEW_COLUMNS:
            return _by_columns(lambda x: self.A @ x, X, self.shape[0])
        return np.asarray(self.A @ X)

    def hermitian_product(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A X`` for Hermitian A, as ``(X^H A)^H`` where BLAS is faster at that.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            Any layout.

        Returns
        -------
        ndarray, shape (n, b)
            In the working precision.
        """
        return self._counted(self._hermitian_product, X, self.shape[1])

    def _hermitian_product(self, X: NDArray[Any]) -> NDArray[Any]:
        by_rows = self.A.flags.c_contiguous
        product = multiplied_in_one_reading(self.A if by_rows else self.A.T, X)
        if product is not None:
            return product
        if X.dtype != self.dtype or not by_rows:
            return self._product(X)
        # Rows of X pass along rows of A: a third less time than down its columns.
        return np.asarray((np.ascontiguousarray(X.T).conj() @ self.A).conj().T)

    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        if self.dtype.kind != "c":
            if X.dtype.kind == "c":
                return by_real_parts(self._adjoint, X)
            product = multiplied_in_one_reading(self.A.T, X)
            if product is not None:
                return product
            if X.shape[1] <= _FEW_COLUMNS:
                return _by_columns(lambda x: self.A.T @ x, X, self.shape[1])
            return np.asarray(self.A.T @ X)
        # The block is conjugated, not the matrix.
        return np.ascontiguousarray((X.conj().T @ self.A).conj().T)

    def todense(self) -> NDArray[Any]:
        return self.A


class SparseBlock(BlockOperator):
    """A sparse matrix, multiplied by rows on rnla's threads.

    The adjoint needs the transposed matrix by rows: a second copy, made when first asked for
    (for CSC input it is the other way round).
    """

    def __init__(self, A: Any) -> None:
        dtype = inexact_dtype(A.dtype, "A")
        # Before repeated entries are added up, whose sum may leave a small integer type.
        A = A.astype(dtype, copy=False)
        super().__init__(A.shape, dtype)
        self._rows: Any = None
        self._columns: Any = None
        if A.format == "csc":
            self._columns = _canonical(checked_rows(csr_array(A.T)))
        else:
            self._rows = _canonical(checked_rows(csr_array(A)))

    @property
    def rows(self) -> Any:
        """The matrix as a CSR array."""
        if self._rows is None:
            self._rows = csr_array(self._columns.T.tocsr())
        return self._rows

    @property
    def columns(self) -> Any:
        """Its transpose as a CSR array."""
        if self._columns is None:
            self._columns = csr_array(self._rows.T.tocsr())
        return self._columns

    @property
    def factors(self) -> list[Any]:
        """Sparse matrices by rows whose product it is, the last one applied last: itself."""
        return [self.rows]

    @cached_property
    def largest(self) -> float:
        """Absolute value of the largest entry; NaN or infinite where one is."""
        return largest_entry((self._columns if self._rows is None else self._rows).data)

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        return multiply_csr(self.rows, X)

    def chebyshev(self, X: NDArray[Any], degree: int, center: float, radius: float) -> NDArray[Any]:
        """Return ``T_d((A - center I) / radius) X`` for a square matrix.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            Any layout.
        degree : int
            d, positive.
        center, radius : float
            Of the interval on which the polynomial stays within [-1, 1], if A is Hermitian.

        Returns
        -------
        ndarray, shape (n, b)
            C-ordered.
        """
        self.count(degree, X.shape[1])
        return chebyshev_csr(self.factors, self._converted(X), degree, center, radius)

    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        if self.dtype.kind == "c":
            return multiply_csr(self.columns, X.conj()).conj()
        return multiply_csr(self.columns, X)

    def todense(self) -> NDArray[Any]:
        return np.asarray(self.rows.toarray())


def _canonical(A: Any) -> Any:
    """Return A itself if its entries are in order and none is repeated, else such a copy.

    SciPy would put them in order in place sooner or later, and the arrays are the caller's.
    """
    if not A.has_canonical_format:
        A = A.copy()
        A.sum_duplicates()
    return A


class OperatorBlock(BlockOperator):
    """A LinearOperator, by blocks if it has a product with blocks of its own, else by columns."""

    def __init__(self, A: LinearOperator) -> None:
        super().__init__(A.shape, inexact_dtype(A.dtype, "A"))
        self.A = A
        self.by_columns = not multiplies_blocks(A, "matmat")

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        name = "matvec" if self.by_columns else "matmat"
        return self._apply(implementation(self.A, name), X, self.shape[0], name)

    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        A, name = self.A, "rmatvec"
        if multiplies_blocks(A, "rmatmat"):
            name = "rmatmat"
        elif overrides(A, "_adjoint") and multiplies_blocks(A.H, "matmat"):
            A, name = A.H, "matmat"
        try:
            return self._apply(implementation(A, name), X, self.shape[1], name)
        except NotImplementedError:
            raise TypeError("`A` must have `rmatvec`: its adjoint is needed") from None

    def _apply(self, apply: Any, X: NDArray[Any], m: int, name: str) -> NDArray[Any]:
        # What the operator gets is a copy and what it returns is copied, so that neither one that
        # overwrites its argument nor one that reuses its buffer does harm.
        if name.endswith("matmat"):
            Y = self._checked(apply(X.copy()), (m, X.shape[1]), X, name)
            return np.array(Y, X.dtype, order="C")
        out = np.empty((m, X.shape[1]), X.dtype)
        for j in range(X.shape[1]):
            y = np.asarray(apply(X[:, j].copy()))
            # A row or a column counts as a vector, as it does in SciPy.
            out[:, j] = self._checked(y.reshape(m) if y.size == m else y, (m,), X, name)
        return out

    def _checked(self, Y: Any, shape: tuple[int, ...], X: NDArray[Any], name: str) -> NDArray[Any]:
        Y = np.asarray(Y)
        if Y.shape != shape:
            raise ValueError(f"`A.{name}` must return shape {shape}, got {Y.shape}")
        if Y.dtype.kind not in "biufc":
            raise TypeError(f"`A.{name}` must return numbers, got dtype {Y.dtype}")
        if Y.dtype.kind == "c" and X.dtype.kind != "c":
            raise TypeError(
                f"`A` has dtype {self.A.dtype}, but `A.{name}` returned {Y.dtype} for real input"
            )
        return np.asarray(Y)


def as_block_operator(
    A: Any, name: str = "A", *, dtype: Any = None, check_finite: bool = True
) -> BlockOperator:
    """Wrap a matrix by its kind.

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator or BlockOperator, shape (m, n)
        The matrix.
    name : str
        Its name in the caller's signature.
    dtype : dtype, optional
        Working precision of an explicit matrix; by default its own, float64 for integers.
    check_finite : bool, default True
        Refuse NaN and infinity in an explicit matrix.

    Returns
    -------
    BlockOperator
        Dense, sparse or matrix-free; a BlockOperator is returned as it is.

    Raises
    ------
    TypeError
        If its dtype is not numeric.
    ValueError
        If it does not have two axes, or holds NaN or infinity.
    """
    if isinstance(A, BlockOperator):
        return A
    if issparse(A):
        sparse: Any = A
        if sparse.ndim != 2:
            raise ValueError(f"`{name}` must have two axes, got shape {sparse.shape}")
        block = SparseBlock(sparse if dtype is None else sparse.astype(dtype, copy=False))
        return _finite(block, name) if check_finite else block
    if isinstance(A, LinearOperator) or (
        not isinstance(A, np.ndarray) and hasattr(A, "matvec") and hasattr(A, "shape")
    ):
        known: Any = A
        operator: Any = aslinearoperator(known)
        if type(operator).__name__ != "MatrixLinearOperator":
            return OperatorBlock(operator)
        # Made by aslinearoperator(matrix): the matrix itself is faster.
        return as_block_operator(operator.A, name, dtype=dtype, check_finite=check_finite)
    A = as_inexact(A, name)
    if A.ndim != 2:
        raise ValueError(f"`{name}` must have two axes, got shape {A.shape}")
    dense = DenseBlock(A if dtype is None else A.astype(dtype, copy=False))
    return _finite(dense, name) if check_finite else dense


def _finite(block: DenseBlock | SparseBlock, name: str) -> BlockOperator:
    if not np.isfinite(block.largest):
        raise ValueError(f"`{name}` must not contain NaN or infinity")
    return block


def _by_columns(apply: Any, X: NDArray[Any], m: int) -> NDArray[Any]:
    out = np.empty((m, X.shape[1]), X.dtype)
    for j in range(X.shape[1]):
        out[:, j] = apply(np.ascontiguousarray(X[:, j]))
    return out
