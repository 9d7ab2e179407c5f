"""Stacked sparse sign embeddings (SparseStack) and CountSketch."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from rnla._core.checks import check_int
from rnla._core.memory import aligned_zeros
from rnla._core.rng import RNGLike, draw_key
from rnla._core.threads import even_parts, get_num_threads, run_parts
from rnla._kernels import sparse_sign, sparse_sign_csr
from rnla._kernels.philox import fill_sparse_stack
from rnla.sketch._base import SketchingOperator

_TAG = np.uint64(0x5350_5253)
# Rows whose indices are drawn at once: with zeta = 8 the table is 128 KiB and stays in L2.
_ROWS = 4096
_FORTRAN_ROWS = 512
_GATHER_ROWS = 1024
_INLINE_ENTRIES = 1 << 15
# Where reading whole rows beats panels, measured (docs/develop/kernels): every thread then reads
# all of A in sequence, and the sketch should not fall out of the third-level cache.
_PANEL_COLUMNS = 128
_ROWWISE_BYTES = 1 << 24
_ROWWISE_THREADS = 4
# A row and a sign are packed into one int32.
_MOST_ROWS = (1 << 30) - 1


class _SparseStack(SketchingOperator):
    """Shared by `SparseSign` and `CountSketch`: `zeta` stacked CountSketches of height d/zeta."""

    def __init__(self, d: int, m: int, key: NDArray[np.uint64], zeta: int, dtype: Any) -> None:
        super().__init__(d, m, key, dtype)
        check_int(d, "d", 1, _MOST_ROWS)
        self.zeta = check_int(zeta, "zeta", 1, min(8, self.shape[0]))
        # When zeta does not divide d, the first blocks are one row higher.
        block = np.arange(self.zeta, dtype=np.uint64)
        height, extra = np.uint64(d // self.zeta), np.uint64(d % self.zeta)
        self._sizes = height + (block < extra)
        self._offsets = block * height + np.minimum(block, extra)
        self._scale = 1.0 / np.sqrt(self.zeta)

    def _packed(self, start: int, rows: int) -> NDArray[np.int32]:
        packed = np.empty((self.zeta, rows), np.int32)
        fill_sparse_stack(self.key, _TAG, np.uint64(start), self._sizes, self._offsets, packed)
        return packed

    def _add_dense(self, block: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        if self._reads_whole_rows(out):
            self._add_rowwise(block, start, out)
            return

        flat = block.reshape(-1)
        rows, n = block.shape

        def add_panel(column: int, low: int, high: int, scratch: NDArray[Any]) -> None:
            for first in range(0, rows, _ROWS):
                packed = self._packed(start + first, min(_ROWS, rows - first))
                sparse_sign.scatter_panel(
                    flat[first * n :], n, column, packed, self._scale, low, high, scratch
                )

        self._add_panels(add_panel, out)

    def _add_fortran(self, block: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        rows, n = block.shape
        if n < sparse_sign.PANEL:
            self._add_copied(block, start, out)
            return
        transposed = block.T
        width = sparse_sign.PANEL

        def add_panel(column: int, low: int, high: int, scratch: NDArray[Any]) -> None:
            piece = aligned_zeros((_FORTRAN_ROWS, width), block.dtype)
            for first in range(0, rows, _FORTRAN_ROWS):
                last = min(rows, first + _FORTRAN_ROWS)
                sparse_sign.pack_columns(transposed, column, width, first, last, piece)
                packed = self._packed(start + first, last - first)
                sparse_sign.scatter_panel(
                    piece.reshape(-1), width, 0, packed, self._scale, low, high, scratch
                )

        self._add_panels(add_panel, out)

    def _add_panels(self, add_panel: Any, out: NDArray[Any]) -> None:
        # A task owns one panel of columns and walks all rows: no two write to the same entry.
        n = out.shape[1]
        width = sparse_sign.PANEL

        def task(column: int, low: int, high: int) -> None:
            # The last panel is moved left to full width; its first columns belong to another.
            shifted = min(column, n - width)
            stop = shifted + width
            top = int(self._offsets[low])
            bottom = int(self._offsets[high - 1] + self._sizes[high - 1])
            scratch = aligned_zeros((out.shape[0], width), out.dtype)
            scratch[top:bottom, column - shifted :] = out[top:bottom, column:stop]
            add_panel(shifted, low, high, scratch.reshape(-1))
            out[top:bottom, column:stop] = scratch[top:bottom, column - shifted :]

        columns = range(0, n, width)
        # Panels left over after every thread has its share are cut by stacked blocks instead.
        shared = len(columns) - len(columns) % get_num_threads()
        parts = [(column, 0, self.zeta) for column in columns[:shared]]
        for column in columns[shared:]:
            parts += [(column, *blocks) for blocks in even_parts(self.zeta, get_num_threads())]
        run_parts(task, parts)

    def _reads_whole_rows(self, out: NDArray[Any]) -> bool:
        d, n = out.shape
        if n < sparse_sign.PANEL or self.zeta == 1:
            return True
        small = d * n * out.itemsize <= _ROWWISE_BYTES
        return n > _PANEL_COLUMNS and small and get_num_threads() <= _ROWWISE_THREADS

    def _add_rowwise(self, block: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        # A thread owns rows of `out` and walks all rows of the block.
        rows, n = block.shape
        source, target = block.reshape(-1), out.reshape(-1)

        def task(low: int, high: int) -> None:
            for first in range(0, rows, _ROWS):
                last = min(rows, first + _ROWS)
                packed = self._packed(start + first, last - first)
                sparse_sign.scatter_rows(
                    source[first * n : last * n], packed, self._scale, low, high, target
                )

        # Any split gives the same bits, so this one may follow the thread count.
        parts = 1 if block.size < _INLINE_ENTRIES else get_num_threads()
        run_parts(task, even_parts(len(out), parts))

    def _add_csr(self, block: Any, start: int, out: NDArray[Any]) -> None:
        rows = block.shape[0]

        def task(low: int, high: int) -> None:
            for first in range(0, rows, _ROWS):
                last = min(rows, first + _ROWS)
                sparse_sign_csr.scatter_csr(
                    block.indptr[first : last + 1],
                    block.indices,
                    block.data,
                    self._packed(start + first, last - first),
                    self._scale,
                    low,
                    high,
                    out,
                )

        run_parts(task, self._block_parts(block.nnz))

    def _block_parts(self, work: int) -> list[tuple[int, int]]:
        # Any split gives the same bits, so this one may follow the thread count.
        return even_parts(self.zeta, 1 if work < _INLINE_ENTRIES else get_num_threads())

    def _adjoint_rows(self, Y: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        def task(low: int, high: int) -> None:
            for first in range(low, high, _GATHER_ROWS):
                last = min(high, first + _GATHER_ROWS)
                packed = self._packed(start + first, last - first)
                sparse_sign.gather_rows(Y, packed, self._scale, out[first:last])

        parts = 1 if out.size < _INLINE_ENTRIES else 4 * get_num_threads()
        run_parts(task, even_parts(len(out), parts))

    def tosparse(self) -> csc_array:
        """Return the operator as a sparse matrix.

        Returns
        -------
        scipy.sparse.csc_array, shape (d, m)
            With `zeta` entries ``±1/sqrt(zeta)`` in every column.

        Examples
        --------
        >>> from rnla.sketch import CountSketch
        >>> CountSketch.draw(4, 100, rng=0).tosparse().nnz
        100
        """
        d, m = self.shape
        packed = self._packed(0, m).T
        data = (1 - 2 * (packed & 1)) * self._scale
        return csc_array(
            (
                data.ravel().astype(self.dtype),
                (packed >> 1).ravel(),
                np.arange(0, m * self.zeta + 1, self.zeta),
            ),
            shape=(d, m),
        )


class SparseSign(_SparseStack):
    """Sparse sign embedding in stacked form (SparseStack).

    `zeta` CountSketches of height ``d / zeta`` are stacked and scaled: every column has `zeta`
    entries ``±1/sqrt(zeta)``, one in each stacked block, so ``E[S.T @ S] = I``. When `zeta` does
    not divide `d`, the first blocks are one row higher.

    Parameters
    ----------
    d, m : int
        Shape: `d` sketch rows, `m` columns.
    key : ndarray of uint64, shape (2,)
        Philox key; `draw` makes one from `rng`.
    zeta : int
        Nonzeros per column, 1 to 8 and at most `d`. With 1 it is a CountSketch: cheapest, but it
        needs many more sketch rows for a matrix with a few heavy rows. 8 is the safe default.
    dtype : dtype
        Float32 or float64.

    See Also
    --------
    CountSketch : The case ``zeta=1``.

    Notes
    -----
    Cost: ``2 zeta`` flops per entry of A and one reading of A (several cache-resident updates per
    entry: 3 to 6 times the time of reading A alone for ``zeta=8``); memory ``d`` times 64 numbers
    per thread beyond the result. Nothing of size m is stored. Sums run over the rows of A in order:
    the result is the same to the last bit for every chunking, layout and thread count.

    A few sketch rows more than the rank are not enough: ``d >= 2 n`` at least, ``4 n`` to ``12 n``
    for a good preconditioner of a matrix with n columns.

    References
    ----------
    .. [1] S. Chenakkod, M. Derezinski, X. Dong, "Optimal oblivious subspace embeddings with
       near-optimal sparsity", 2025, arXiv:2411.08773.
    .. [2] C. Camano, E. N. Epperly, R. A. Meyer, J. A. Tropp, "Faster linear algebra algorithms
       with structured random matrices", 2025, arXiv:2508.21189.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.sketch import SparseSign
    >>> A = np.random.default_rng(0).standard_normal((5000, 20))
    >>> S = SparseSign.draw(240, 5000, rng=1)
    >>> ratio = np.linalg.svd(S @ A)[1] / np.linalg.svd(A)[1]
    >>> bool(0.6 < ratio.min() and ratio.max() < 1.4)
    True
    """

    def __init__(
        self,
        d: int,
        m: int,
        key: NDArray[np.uint64],
        zeta: int = 8,
        dtype: Any = np.float64,
    ) -> None:
        super().__init__(d, m, key, zeta, dtype)

    @classmethod
    def draw(
        cls, d: int, m: int, *, zeta: int = 8, rng: RNGLike = None, dtype: Any = np.float64
    ) -> Self:
        """Draw the operator; equal seeds give equal operators.

        Parameters
        ----------
        d, m : int
            Shape: `d` sketch rows, `m` columns.
        zeta : int, default 8
            Nonzeros per column, 1 to 8 and at most `d`.
        rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
            Source of the key, as in ``numpy.random.default_rng``.
        dtype : dtype, default float64
            Float32 or float64.

        Returns
        -------
        SparseSign
            The drawn operator.

        Examples
        --------
        >>> from rnla.sketch import SparseSign
        >>> SparseSign.draw(16, 100, zeta=4, rng=0)
        <16x100 SparseSign with dtype=float64>
        """
        return cls(d, m, draw_key(rng), zeta, dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return SparseSign, (*self.shape, np.array(self.key), self.zeta, self.dtype)


class CountSketch(_SparseStack):
    """Sparse embedding with one entry ``±1`` in every column.

    Row i of A is added with a random sign to one random row of the sketch, ``E[S.T @ S] = I``.

    Parameters
    ----------
    d, m : int
        Shape: `d` sketch rows, `m` columns.
    key : ndarray of uint64, shape (2,)
        Philox key; `draw` makes one from `rng`.
    dtype : dtype
        Float32 or float64.

    See Also
    --------
    SparseSign : More entries per column, far fewer sketch rows needed.

    Notes
    -----
    Cost: 2 flops per entry of A, one reading of A. It embeds a subspace of dimension n reliably
    only when ``d`` is of the order ``n**2``, because two heavy rows that meet cannot be told apart.

    References
    ----------
    .. [1] K. L. Clarkson, D. P. Woodruff, "Low-rank approximation and regression in input sparsity
       time", J. ACM 63 (2017), 54.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.sketch import CountSketch
    >>> S = CountSketch.draw(50, 1000, rng=0)
    >>> np.unique(np.abs(S.todense()))
    array([0., 1.])
    """

    def __init__(self, d: int, m: int, key: NDArray[np.uint64], dtype: Any = np.float64) -> None:
        super().__init__(d, m, key, 1, dtype)

    @classmethod
    def draw(cls, d: int, m: int, *, rng: RNGLike = None, dtype: Any = np.float64) -> Self:
        """Draw the operator; equal seeds give equal operators.

        Parameters
        ----------
        d, m : int
            Shape: `d` sketch rows, `m` columns.
        rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
            Source of the key, as in ``numpy.random.default_rng``.
        dtype : dtype, default float64
            Float32 or float64.

        Returns
        -------
        CountSketch
            The drawn operator.

        Examples
        --------
        >>> from rnla.sketch import CountSketch
        >>> CountSketch.draw(16, 100, rng=0)
        <16x100 CountSketch with dtype=float64>
        """
        return cls(d, m, draw_key(rng), dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return CountSketch, (*self.shape, np.array(self.key), self.dtype)
