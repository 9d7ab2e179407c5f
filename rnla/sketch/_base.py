"""The contract of a sketching operator."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from rnla._core.checks import as_inexact, check_finite_array, check_int, inexact_dtype
from rnla.sketch._operator import RealOperator, apply_to_stack, is_sparse

# Blocks of a strided or complex F-ordered matrix are copied to C order this many entries at a time.
_COPY_ENTRIES = 1 << 20


class SketchingOperator(RealOperator):
    """A fixed random `(d, m)` matrix S with ``E[S.T @ S] = I``.

    It is a SciPy ``LinearOperator`` and also applies to sparse matrices. It is real and immutable,
    and its entries are a pure function of its `key` and the global row index: the same key gives
    the same matrix for every chunking, layout and thread count.

    Parameters
    ----------
    d, m : int
        Shape: `d` sketch rows, `m` columns (the rows of what is sketched).
    key : ndarray of uint64, shape (2,), or None
        Philox key; None if the operator does not draw its entries from one.
    dtype : dtype
        Float32 or float64. The product with X has dtype ``numpy.result_type(dtype, X)``.
    """

    def __init__(self, d: int, m: int, key: NDArray[np.uint64] | None, dtype: Any) -> None:
        d = check_int(d, "d", 1)
        m = check_int(m, "m", 1)
        dtype = np.dtype(dtype)
        if dtype not in (np.float32, np.float64):
            raise TypeError(f"`dtype` must be float32 or float64, got {dtype}")
        super().__init__(dtype, (d, m))
        if key is not None:
            self.key = _checked_key(key)

    # -- what a subclass provides ------------------------------------------------------------

    @abstractmethod
    def _add_dense(self, block: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        """Add ``S[:, start : start + rows] @ block``; both are C-ordered, real, of one width."""

    @abstractmethod
    def _add_csr(self, block: Any, start: int, out: NDArray[Any]) -> None:
        """Add ``S[:, start : start + rows] @ block`` for a CSR block."""

    @abstractmethod
    def _adjoint_rows(self, Y: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        """Write rows `start : start + len(out)` of ``S.T @ Y``; real, C-ordered."""

    def _add_fortran(self, block: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        """Add the product with a real F-ordered block; a subclass may have a faster way."""
        self._add_copied(block, start, out)

    @property
    def _copy_rows(self) -> int:
        """Copied blocks start at multiples of this many rows (the tile of the operator)."""
        return 1

    # False where some rows do not enter the product, so that NaN in them is not an error.
    _reads_all_rows = True

    # -- products --------------------------------------------------------------------------

    def accumulate(self, block: Any, start: int, out: NDArray[Any]) -> NDArray[Any]:
        """Add the product with some consecutive rows: ``out += S[:, start:stop] @ block``.

        Summed over the row blocks of a matrix in any chunking this is ``S @ A``, so a matrix can
        be sketched while it is read.

        Parameters
        ----------
        block : array_like or sparse matrix, shape (rows, n)
            Rows ``start : start + rows`` of the sketched matrix.
        start : int
            Global index of the first of them.
        out : ndarray, shape (d, n)
            C-ordered; changed in place.

        Returns
        -------
        ndarray
            The array `out`.

        Raises
        ------
        ValueError
            If a shape does not fit, `out` is not C-ordered or cannot hold the result's dtype, or if
            the block holds NaN or infinity (`out` is then of no use).

        Examples
        --------
        >>> import numpy as np
        >>> from rnla.sketch import SparseSign
        >>> S = SparseSign.draw(40, 1000, rng=0)
        >>> A = np.ones((1000, 3))
        >>> out = np.zeros((40, 3))
        >>> for start in range(0, 1000, 300):
        ...     out = S.accumulate(A[start : start + 300], start, out)
        >>> np.array_equal(out, S @ A)
        True
        """
        d, m = self.shape
        if not is_sparse(block):
            block = as_inexact(block, "block")
        if block.ndim != 2:
            raise ValueError(f"`block` must have two axes, got shape {block.shape}")
        start = check_int(start, "start", 0)
        if start + block.shape[0] > m:
            raise ValueError(
                f"`block` ends at row {start + block.shape[0]}, but the sketch has {m} columns"
            )
        needed = self._result_dtype(block.dtype)
        given: object = out
        if not isinstance(given, np.ndarray) or out.shape != (d, block.shape[1]):
            raise ValueError(f"`out` must be an array of shape {(d, block.shape[1])}")
        if out.dtype != needed or not out.flags.c_contiguous or not out.flags.writeable:
            raise ValueError(f"`out` must be C-ordered, writable and of dtype {needed}")
        self._add(block, start, out)
        # Every entry of the block went into some entry of `out`: the smaller one tells.
        if self._reads_all_rows and block.shape[0] <= d:
            check_finite(block, "block")
        else:
            check_result(out, block, "block")
        return out

    def _result_dtype(self, dtype: Any) -> np.dtype[Any]:
        return np.result_type(self.dtype, inexact_dtype(dtype, "X"))

    def _add(self, block: Any, start: int, out: NDArray[Any]) -> None:
        if block.shape[0] == 0 or block.shape[1] == 0:
            return
        if is_sparse(block):
            self._add_sparse(block, start, out)
        elif block.flags.c_contiguous:
            # S is real: a complex row of length n is a real row of length 2 n.
            self._add_dense(_real_view(block), start, _real_view(out))
        elif block.flags.f_contiguous and block.dtype.kind == "f":
            self._add_fortran(block, start, out)
        else:
            self._add_copied(block, start, out)

    def _add_copied(self, block: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        tile = self._copy_rows
        rows = max(1, _COPY_ENTRIES // max(1, block.shape[1]) // tile) * tile
        first = 0
        while first < block.shape[0]:
            # Cuts stay on the operator's own tiles, whatever `start` is.
            last = min(block.shape[0], (start + first) // tile * tile + rows - start)
            piece = np.ascontiguousarray(block[first:last])
            self._add_dense(_real_view(piece), start + first, _real_view(out))
            first = last

    def _add_sparse(self, block: Any, start: int, out: NDArray[Any]) -> None:
        self._add_csr(as_csr(block, "X"), start, out)

    def _matmat(self, X: Any) -> NDArray[Any]:
        return self.multiply(X, "X")

    def multiply(self, X: Any, name: str) -> NDArray[Any]:
        """Return ``S @ X`` like `matmat`, for callers whose argument has another name.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (m, n)
            What is sketched.
        name : str
            What error messages call it.

        Returns
        -------
        ndarray, shape (d, n)
            The sketch.

        Raises
        ------
        TypeError
            If `X` does not hold numbers.
        ValueError
            If its shape does not fit or it holds NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from rnla.sketch import CountSketch
        >>> CountSketch.draw(8, 100, rng=0).multiply(np.ones((100, 3)), "A").shape
        (8, 3)
        """
        d, m = self.shape
        if not is_sparse(X):
            X = as_inexact(X, name)
        if X.ndim > 2:
            return apply_to_stack(self._matmat, X)
        if X.ndim != 2 or X.shape[0] != m:
            raise ValueError(f"`{name}` must have shape ({m}, k), got {X.shape}")
        out = np.zeros((d, X.shape[1]), self._result_dtype(X.dtype))
        self._add(X, 0, out)
        check_result(out, X, name)
        return out

    def _rmatmat(self, Y: Any) -> NDArray[Any]:
        d, m = self.shape
        Y = as_inexact(Y.toarray() if is_sparse(Y) else Y, "Y")
        if Y.ndim > 2:
            return apply_to_stack(self._rmatmat, Y)
        if Y.ndim != 2 or Y.shape[0] != d:
            raise ValueError(f"`Y` must have shape ({d}, k), got {Y.shape}")
        check_finite_array(Y, "Y")
        out = np.empty((m, Y.shape[1]), self._result_dtype(Y.dtype))
        Y = np.ascontiguousarray(Y)
        if out.size:
            self._adjoint_rows(_real_view(Y), 0, _real_view(out))
        return out

    # SciPy passes (m,), before 1.18 also (m, 1), and since 1.18 batches (..., m).
    def _matvec(self, x: Any) -> NDArray[Any]:
        return self._apply_vectors(x, self._matmat, self.shape[1], self.shape[0])

    def _rmatvec(self, x: Any) -> NDArray[Any]:
        return self._apply_vectors(x, self._rmatmat, self.shape[0], self.shape[1])

    @staticmethod
    def _apply_vectors(x: Any, apply: Any, n_in: int, n_out: int) -> NDArray[Any]:
        x = np.asarray(x)
        if x.shape == (n_in, 1):
            return apply(x)  # type: ignore[no-any-return]
        if x.ndim == 0 or x.shape[-1] != n_in:
            raise ValueError(f"expected a vector of length {n_in}, got shape {x.shape}")
        batch = x.reshape(-1, n_in)
        return apply(batch.T).T.reshape(*x.shape[:-1], n_out)  # type: ignore[no-any-return]

    # -- forms -------------------------------------------------------------------------------

    def todense(self) -> NDArray[Any]:
        """Return the operator as a dense array, for small sizes and tests.

        Returns
        -------
        ndarray, shape (d, m)
            All entries of S.

        Examples
        --------
        >>> from rnla.sketch import CountSketch
        >>> CountSketch.draw(2, 5, rng=0).todense().shape
        (2, 5)
        """
        return np.ascontiguousarray(self._rmatmat(np.eye(self.shape[0], dtype=self.dtype)).T)


def as_csr(X: Any, name: str) -> Any:
    """Return a sparse matrix as a CSR array of a supported dtype, without duplicate entries."""
    csr = csr_array(X)
    dtype = inexact_dtype(csr.dtype, name)
    if csr.dtype != dtype:
        csr = csr.astype(dtype)
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    return csr


def check_finite(X: Any, name: str) -> None:
    """Raise if a dense or sparse matrix holds NaN or infinity."""
    check_finite_array(X.tocsr().data if is_sparse(X) else X, name)


def check_result(out: NDArray[Any], X: Any, name: str) -> None:
    """Raise if `X` holds NaN or infinity, which show in the product `out`; overflow is no error."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = out.sum()
    if not np.isfinite(total):
        check_finite(X, name)


def _checked_key(key: Any) -> NDArray[np.uint64]:
    words = np.array(key)
    if (
        words.shape != (2,)
        or words.dtype.kind not in "iu"
        or words.min() < 0
        or words.max() > 0xFFFFFFFF
    ):
        raise ValueError(f"`key` must hold two integers in 0..2**32-1, got {key!r}")
    words = words.astype(np.uint64)
    words.flags.writeable = False
    return words


def _real_view(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "c":
        return array.view(array.real.dtype)
    return array
