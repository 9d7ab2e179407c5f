"""Dense sketches with independent entries, generated tile by tile and never stored whole."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnla._core.memory import aligned_zeros
from rnla._core.rng import RNGLike, draw_key
from rnla._core.threads import even_parts, get_num_threads, run_parts
from rnla._kernels import products
from rnla._kernels.philox import fill_normals, fill_signs
from rnla.sketch._base import SketchingOperator

_GAUSSIAN_TAG = np.uint64(0x4741_5553)
_RADEMACHER_TAG = np.uint64(0x5241_4445)
# A tile of 256 x 256 numbers, 64 columns of the block and of the sums stay in L2.
_ROWS = 256
_SLICE_QUADS = 64
_INLINE_ENTRIES = 1 << 15
_PANEL = products.PANEL


class _DenseSketch(SketchingOperator):
    """Shared by `Gaussian` and `Rademacher`: independent entries of variance 1/d."""

    @abstractmethod
    def _fill(self, row: int, column: int, out: NDArray[Any]) -> None:
        """Write ``sqrt(d) * S[column : ..., row : ...].T`` to `out`; `column` is divisible by 4."""

    def _fill_tile(self, row: int, column: int, rows: int, columns: int, tile: Any) -> None:
        """Write ``S[column : column + columns, row : row + rows].T`` and zeros around it."""
        filled = tile[:rows]
        self._fill(row, column, filled)
        filled *= 1.0 / np.sqrt(self.shape[0])
        filled[:, columns:] = 0
        tile[rows:] = 0

    def _slices(self, work: int) -> list[tuple[int, int]]:
        """Cut the sketch rows into slices of a multiple of four rows, as many for each thread."""
        d = self.shape[0]
        quads = -(-d // 4)
        threads = 1 if work < _INLINE_ENTRIES else get_num_threads()
        count = -(-quads // _SLICE_QUADS)
        parts = even_parts(quads, -(-count // threads) * threads)
        return [(4 * low, min(d, 4 * high)) for low, high in parts]

    def _add_dense(self, block: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        rows, n = block.shape
        flat = block.reshape(-1)
        panels = [(column, min(_PANEL, n - column)) for column in range(0, n, _PANEL)]

        # A task owns sketch rows and walks all rows of the block: nothing is generated twice.
        def task(low: int, high: int) -> None:
            height = -(-(high - low) // 4) * 4
            tile = aligned_zeros((_ROWS, height), out.dtype)
            sums = aligned_zeros((len(panels), height, _PANEL), out.dtype)
            for part, (column, width) in zip(sums, panels, strict=True):
                part[: high - low, :width] = out[low:high, column : column + width]
            for first in range(0, rows, _ROWS):
                count = min(_ROWS, rows - first)
                self._fill_tile(start + first, low, count, high - low, tile)
                source = flat[first * n : (first + count) * n]
                for part, (column, width) in zip(sums, panels, strict=True):
                    products.add_products(tile, source, n, column, width, count, part.reshape(-1))
            for part, (column, width) in zip(sums, panels, strict=True):
                out[low:high, column : column + width] = part[: high - low, :width]

        run_parts(task, self._slices(self.shape[0] * block.size))

    def _add_csr(self, block: Any, start: int, out: NDArray[Any]) -> None:
        rows = block.shape[0]

        def task(low: int, high: int) -> None:
            tile = aligned_zeros((_ROWS, high - low), out.real.dtype)
            sums = np.ascontiguousarray(out[low:high].T)
            for first in range(0, rows, _ROWS):
                count = min(_ROWS, rows - first)
                self._fill_tile(start + first, low, count, high - low, tile)
                products.add_csr_products(
                    block.indptr[first : first + count + 1],
                    block.indices,
                    block.data,
                    tile,
                    sums,
                )
            out[low:high] = sums.T

        run_parts(task, self._slices(self.shape[0] * (rows + block.nnz)))

    def _adjoint_rows(self, Y: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        d, k = Y.shape
        flat = Y.reshape(-1)
        depth = -(-d // 4) * 4

        def task(low: int, high: int) -> None:
            tile = aligned_zeros((_ROWS, depth), out.dtype)
            for first in range(low, high, _ROWS):
                count = min(_ROWS, high - first)
                self._fill_tile(start + first, 0, count, d, tile)
                present = tile[: -(-count // 4) * 4]
                for column in range(0, k, _PANEL):
                    width = min(_PANEL, k - column)
                    sums = aligned_zeros((_ROWS, _PANEL), out.dtype)
                    products.add_products(present.T, flat, k, column, width, d, sums.reshape(-1))
                    out[first : first + count, column : column + width] = sums[:count, :width]

        parts = 1 if d * out.size < _INLINE_ENTRIES else 4 * get_num_threads()
        run_parts(task, even_parts(len(out), parts))


class Gaussian(_DenseSketch):
    """Dense sketch with independent normal entries of variance ``1/d``.

    ``S[i, j] ~ N(0, 1/d)``, so ``E[S.T @ S] = I``: the sketch that theory is sharpest about, and
    the smallest `d` for a given quality.

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
    Rademacher : The same with signs, cheaper to generate.
    SparseSign : Far cheaper when `d` exceeds the number of columns of what is sketched.

    Notes
    -----
    Cost: ``2 d`` flops per entry of A and about 3 ns for each of the ``d m`` entries of S, in every
    product; memory one tile of 256 x 256 numbers per thread and a copy of the result. It pays for
    a few tens of sketch rows (low-rank approximation, trace estimation), never for least squares:
    with ``d >= n`` the product alone costs as much as a QR factorization.

    Normal numbers come from 32-bit words, so none exceeds 6.8 in size (a standard normal does once
    in 10**11 draws). Sums run over the rows of A in order: the result is the same to the last bit
    for every chunking, layout and thread count, for dense and sparse input.

    References
    ----------
    .. [1] N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with randomness:
       probabilistic algorithms for constructing approximate matrix decompositions", SIAM Rev. 53
       (2011), 217-288.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.sketch import Gaussian
    >>> A = np.random.default_rng(0).standard_normal((5000, 10))
    >>> S = Gaussian.draw(100, 5000, rng=1)
    >>> ratio = np.linalg.svd(S @ A)[1] / np.linalg.svd(A)[1]
    >>> bool(0.6 < ratio.min() and ratio.max() < 1.4)
    True
    """

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
        Gaussian
            The drawn operator.

        Examples
        --------
        >>> from rnla.sketch import Gaussian
        >>> Gaussian.draw(16, 100, rng=0)
        <16x100 Gaussian with dtype=float64>
        """
        return cls(d, m, draw_key(rng), dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return Gaussian, (*self.shape, np.array(self.key), self.dtype)

    def _fill(self, row: int, column: int, out: NDArray[Any]) -> None:
        fill_normals(self.key, _GAUSSIAN_TAG, np.uint64(row), column, out)


class Rademacher(_DenseSketch):
    """Dense sketch with independent random signs ``±1/sqrt(d)``.

    ``E[S.T @ S] = I``; in practice as good as a `Gaussian`, at a tenth of the cost of generating.

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
    Gaussian : Normal entries: rotation invariant, sharper theory.

    Notes
    -----
    Cost: ``2 d`` flops per entry of A and about 0.3 ns for each of the ``d m`` entries of S, in
    every product; memory one tile of 256 x 256 numbers per thread and a copy of the result. Sums
    run over the rows of A in order: the result is the same to the last bit for every chunking,
    layout and thread count, for dense and sparse input.

    A single row carries little randomness on a vector with few large entries: two of them cancel
    with probability 1/2. Take a few tens of rows at least.

    References
    ----------
    .. [1] D. Achlioptas, "Database-friendly random projections: Johnson-Lindenstrauss with binary
       coins", J. Comput. Syst. Sci. 66 (2003), 671-687.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.sketch import Rademacher
    >>> S = Rademacher.draw(16, 1000, rng=0)
    >>> np.unique(S.todense())
    array([-0.25,  0.25])
    """

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
        Rademacher
            The drawn operator.

        Examples
        --------
        >>> from rnla.sketch import Rademacher
        >>> Rademacher.draw(16, 100, rng=0)
        <16x100 Rademacher with dtype=float64>
        """
        return cls(d, m, draw_key(rng), dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return Rademacher, (*self.shape, np.array(self.key), self.dtype)

    def _fill(self, row: int, column: int, out: NDArray[Any]) -> None:
        fill_signs(self.key, _RADEMACHER_TAG, np.uint64(row), column, out)
