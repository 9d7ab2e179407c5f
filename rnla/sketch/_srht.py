"""The subsampled randomized Hadamard transform, exact and streaming."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnla._core.memory import aligned_zeros
from rnla._core.rng import RNGLike, draw_key, philox_uint64
from rnla._core.threads import even_parts, get_num_threads, run_parts
from rnla._kernels import hadamard
from rnla._kernels.philox import fill_row_signs
from rnla.sketch._base import SketchingOperator

_SIGN_TAG = np.uint64(0x5352_4854)
_ROW_TAG = np.uint64(0x5352_4855)
_TILE = hadamard.TILE
_PANEL = hadamard.PANEL
# Fewer columns are transformed one by one, each as a square.
_NARROW = 8
_LEAST_WIDTH = 16


class SRHT(SketchingOperator):
    """Subsampled randomized Hadamard transform.

    ``S = P @ H @ D / sqrt(d)``: D holds m random signs, H is the Walsh-Hadamard matrix of the
    smallest order ``M = 2**p >= m`` (its first m columns), and P takes `d` of its M rows, uniformly
    without replacement. ``E[S.T @ S] = I``, and ``S.T @ S = I`` times ``M / d`` when ``d = M``.

    Parameters
    ----------
    d, m : int
        Shape: `d` sketch rows, `m` columns; `d` is at most M.
    key : ndarray of uint64, shape (2,)
        Philox key; `draw` makes one from `rng`. It decides the signs and the sampled rows.
    dtype : dtype
        Float32 or float64.

    See Also
    --------
    SparseSign : As fast on dense matrices, much faster on sparse ones.

    Notes
    -----
    The matrix is read once, in tiles of 4096 rows that are transformed in cache, and never padded
    or copied as a whole: ``H(M) = H(M / 4096) x H(4096)``, so a sketch is a signed sum over tiles.
    Cost: 12 additions per entry of A, whatever d is, and ``d / 4096`` more for the sums; memory
    ``4096 + d`` times 64 numbers per thread beyond the result. A sparse matrix is made dense tile
    by tile, so it costs as much as a dense one of its shape.

    Sums run over the tiles in order: the result is the same to the last bit for every layout and
    thread count, for dense and sparse input, and for every chunking whose cuts are multiples of
    4096. Other cuts change it by rounding.

    A few sketch rows more than the rank are not enough: in the worst case d has to grow like
    ``n log n`` for n columns, because sampled rows of a structured matrix may repeat each other; in
    practice ``2 n`` to ``4 n`` rows behave like those of a Gaussian matrix.

    References
    ----------
    .. [1] N. Ailon, B. Chazelle, "The fast Johnson-Lindenstrauss transform and approximate nearest
       neighbors", SIAM J. Comput. 39 (2009), 302-322.
    .. [2] J. A. Tropp, "Improved analysis of the subsampled randomized Hadamard transform", Adv.
       Adapt. Data Anal. 3 (2011), 115-126.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.sketch import SRHT
    >>> A = np.random.default_rng(0).standard_normal((5000, 20))
    >>> S = SRHT.draw(240, 5000, rng=1)
    >>> ratio = np.linalg.svd(S @ A)[1] / np.linalg.svd(A)[1]
    >>> bool(0.6 < ratio.min() and ratio.max() < 1.4)
    True
    """

    def __init__(self, d: int, m: int, key: NDArray[np.uint64], dtype: Any = np.float64) -> None:
        super().__init__(d, m, key, dtype)
        d, m = self.shape
        order = 1 << (m - 1).bit_length()
        if d > order:
            raise ValueError(
                f"`d` must be at most {order}, the order of the Hadamard matrix for m={m}, got {d}"
            )
        rows = _sample_rows(self.key, d, order)
        # H[row, column] is +1 or -1 by the parity of row & column: 12 bits of the tile, the rest.
        self._low = (rows % np.uint64(_TILE)).astype(np.int64)
        self._high = rows // np.uint64(_TILE)
        residue = self._low % hadamard.SIDE
        self._order = np.lexsort((self._low, residue))
        self._sorted_high = self._high[self._order]
        self._strip_rows = self._low[self._order] // hadamard.SIDE
        self._starts = np.searchsorted(residue[self._order], np.arange(hadamard.SIDE + 1))
        self._scale = 1.0 / np.sqrt(d)

    @classmethod
    def draw(cls, d: int, m: int, *, rng: RNGLike = None, dtype: Any = np.float64) -> Self:
        """Draw the operator; equal seeds give equal operators.

        Parameters
        ----------
        d, m : int
            Shape: `d` sketch rows, `m` columns; `d` is at most the power of two above `m`.
        rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
            Source of the key, as in ``numpy.random.default_rng``.
        dtype : dtype, default float64
            Float32 or float64.

        Returns
        -------
        SRHT
            The drawn operator.

        Examples
        --------
        >>> from rnla.sketch import SRHT
        >>> SRHT.draw(16, 100, rng=0)
        <16x100 SRHT with dtype=float64>
        """
        return cls(d, m, draw_key(rng), dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return SRHT, (*self.shape, np.array(self.key), self.dtype)

    @property
    def _copy_rows(self) -> int:
        return _TILE

    def _tiles(self, start: int, rows: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield for each tile its index, its absent rows in front, its first row and row count."""
        first = 0
        while first < rows:
            tile, before = divmod(start + first, _TILE)
            count = min(rows - first, _TILE - before)
            yield tile, before, first, count
            first += count

    def _signs(self, tile: int, before: int, count: int, dtype: Any) -> NDArray[Any]:
        signs = np.zeros(_TILE, dtype)
        present = signs[before : before + count]
        fill_row_signs(self.key, _SIGN_TAG, np.uint64(tile * _TILE + before), present)
        present *= self._scale
        return signs

    def _add_dense(self, block: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        rows, n = block.shape
        if n < _NARROW:
            self._add_vectors(block, start, out)
            return
        flat = block.reshape(-1)

        def load(tile: Any, span: Any, column: int, width: int, signs: Any) -> bool:
            _, before, first, count = span
            hadamard.load_rows(flat[first * n :], n, column, width, before, count, signs, tile)
            return True

        self._add_panels(load, start, rows, out)

    def _add_fortran(self, block: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        rows, n = block.shape
        if n < _NARROW:
            self._add_vectors(block, start, out)
            return
        flat = block.T.reshape(-1)

        def load(tile: Any, span: Any, column: int, width: int, signs: Any) -> bool:
            _, before, first, count = span
            hadamard.load_columns(flat, rows, column, width, before, first, count, signs, tile)
            return True

        self._add_panels(load, start, rows, out)

    def _add_csr(self, block: Any, start: int, out: NDArray[Any]) -> None:
        block = block.tocsc()
        parts = 2 if block.dtype.kind == "c" else 1
        data = block.data.view(block.data.real.dtype)
        # How far each column was read; every column belongs to one task, which walks it in order.
        place = block.indptr[:-1].astype(np.int64)

        def load(tile: Any, span: Any, column: int, width: int, signs: Any) -> bool:
            _, before, first, count = span
            column, width = column // parts, width // parts
            return hadamard.load_csc(  # type: ignore[no-any-return]
                block.indptr,
                block.indices,
                data,
                parts,
                column,
                width,
                before,
                first,
                count,
                signs,
                place[column : column + width],
                tile,
            )

        self._add_panels(load, start, block.shape[0], out.view(out.real.dtype), parts)

    def _add_panels(
        self, load: Any, start: int, rows: int, out: NDArray[Any], parts: int = 1
    ) -> None:
        # A task owns one panel of columns and walks all rows: no two write to the same entry.
        def task(column: int, stop: int) -> None:
            column, stop = parts * column, parts * stop
            width = stop - column
            tile = aligned_zeros((_TILE * _PANEL,), out.dtype)
            strip = aligned_zeros((hadamard.SIDE * _PANEL,), out.dtype)
            sums = aligned_zeros((len(out), _PANEL), out.dtype)
            sums[:, :width] = out[self._order, column:stop]
            for span in self._tiles(start, rows):
                index, before, _, count = span
                signs = self._signs(index, before, count, out.dtype)
                if not load(tile, span, column, width, signs):
                    continue
                hadamard.add_sampled_rows(
                    tile,
                    width,
                    index,
                    self._starts,
                    self._strip_rows,
                    self._sorted_high,
                    strip,
                    sums.reshape(-1),
                )
            out[self._order, column:stop] = sums[:, :width]

        run_parts(task, _panels(out.shape[1] // parts, _PANEL // parts))

    def _add_vectors(self, block: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        def task(column: int) -> None:
            square = aligned_zeros((_TILE,), out.dtype)
            for index, before, first, count in self._tiles(start, len(block)):
                hadamard.add_sampled_vector(
                    block[first : first + count, column],
                    before,
                    index,
                    self._signs(index, before, count, out.dtype),
                    self._low,
                    self._high,
                    square,
                    out[:, column],
                )

        run_parts(task, [(column,) for column in range(block.shape[1])])

    def _adjoint_rows(self, Y: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        spans = list(self._tiles(start, len(out)))

        def task(low: int, high: int) -> None:
            tile = aligned_zeros((_TILE * _PANEL,), out.dtype)
            strip = aligned_zeros((hadamard.SIDE * _PANEL,), out.dtype)
            for index, before, first, count in spans[low:high]:
                signs = self._signs(index, before, count, out.dtype)
                rows = out[first : first + count]
                for column in range(0, out.shape[1], _PANEL):
                    width = min(_PANEL, out.shape[1] - column)
                    hadamard.spread_rows(Y, column, width, index, self._low, self._high, tile)
                    hadamard.store_rows(tile, column, width, before, signs, strip, rows)

        run_parts(task, even_parts(len(spans), 4 * get_num_threads()))


def _panels(columns: int, widest: int) -> list[tuple[int, int]]:
    """Cut the columns at multiples of eight into panels, as many for each thread.

    Columns do not meet in any sum, so the cuts may follow the thread count.
    """
    threads = get_num_threads()
    count = -(-columns // widest)
    shared = -(-count // threads) * threads
    # Eight doubles are a cache line: where rows are aligned, so are their pieces.
    parts = even_parts(-(-columns // 8), max(count, min(shared, columns // _LEAST_WIDTH)))
    return [(8 * low, min(columns, 8 * high)) for low, high in parts]


def _sample_rows(key: NDArray[np.uint64], d: int, order: int) -> NDArray[np.uint64]:
    """Return `d` of `order` (a power of two) row indices, uniform without replacement."""
    if 2 * d > order:
        return np.argsort(philox_uint64(key, _ROW_TAG, order), kind="stable")[:d].astype(np.uint64)
    rows = np.empty(0, np.uint64)
    drawn = 0
    # The first d different numbers of a stream of uniform ones: at most every second is a repeat.
    while len(rows) < d:
        words = philox_uint64(key, _ROW_TAG, 2 * d, drawn)
        drawn += len(words)
        rows = np.concatenate([rows, words & np.uint64(order - 1)])
        rows = rows[np.sort(np.unique(rows, return_index=True)[1])]
    return rows[:d]
