"""Row sampling with replacement, by given probabilities."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from rnla._core.checks import check_int
from rnla._core.rng import RNGLike, as_generator, draw_key, philox_uint64
from rnla.sketch._base import SketchingOperator
from rnla.sketch._leverage import as_rows, leverage_scores, squared_row_norms
from rnla.sketch._operator import is_sparse

_TAG = np.uint64(0x524F_5753)


class RowSampling(SketchingOperator):
    """Weighted sample of rows, drawn with replacement.

    Row k of S is ``weights[k]`` at column ``rows[k]``. `draw` takes ``rows[k] = i`` with
    probability ``p[i]`` and ``weights[k] = 1 / sqrt(d p[i])``, so ``E[S.T @ S]`` is the identity on
    all rows of positive probability.

    Parameters
    ----------
    d, m : int
        Shape: `d` sampled rows out of `m`.
    rows : array_like of int, shape (d,)
        The sampled rows, repeats included.
    weights : array_like, shape (d,)
        Their weights.
    dtype : dtype
        Float32 or float64.

    Attributes
    ----------
    rows, weights : ndarray, shape (d,)
        As given; read-only.

    See Also
    --------
    leverage_scores : Probabilities for least squares.
    SparseSign : Oblivious: needs to know nothing about the matrix.

    Notes
    -----
    Cost: it reads `d` rows and nothing else, so it is the cheapest sketch of all, the result keeps
    the structure of the rows, and NaN or infinity in a row that was not sampled goes unnoticed.
    `tosparse` applied by SciPy keeps a sparse matrix sparse.

    Quality depends on the probabilities. Uniform ones fail on a coherent matrix: a row that alone
    carries a direction of the column space is missed with probability ``(1 - 1/m)**d``, close to
    one. Squared row norms suit approximate products ``A.T @ B`` and low-rank approximation.
    Leverage scores suit least squares, with ``d`` of the order ``n log n``. Rows of probability
    zero are never drawn: with squared row norms or leverage scores those are rows of zeros, which
    lose nothing; with probabilities of your own the product is biased unless they are.

    References
    ----------
    .. [1] P. Drineas, R. Kannan, M. W. Mahoney, "Fast Monte Carlo algorithms for matrices I:
       approximating matrix multiplication", SIAM J. Comput. 36 (2006), 132-157.
    .. [2] M. W. Mahoney, "Randomized algorithms for matrices and data", Found. Trends Mach. Learn.
       3 (2011), 123-224.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.sketch import RowSampling
    >>> A = np.random.default_rng(0).standard_normal((5000, 10))
    >>> S = RowSampling.from_matrix(A, 400, by="leverage", rng=1)
    >>> ratio = np.linalg.svd(S @ A)[1] / np.linalg.svd(A)[1]
    >>> bool(0.6 < ratio.min() and ratio.max() < 1.4)
    True
    """

    def __init__(
        self, d: int, m: int, rows: ArrayLike, weights: ArrayLike, dtype: Any = np.float64
    ) -> None:
        super().__init__(d, m, None, dtype)
        d, m = self.shape
        indices = np.array(rows)
        if indices.shape != (d,) or indices.dtype.kind not in "iu":
            raise ValueError(f"`rows` must hold d={d} integers, got {rows!r}")
        if indices.min() < 0 or indices.max() >= m:
            raise ValueError(f"`rows` must lie in 0..{m - 1}, got {indices.min()}..{indices.max()}")
        factors = np.array(weights, dtype=self.dtype)
        if factors.shape != (d,) or not np.isfinite(factors).all():
            raise ValueError(f"`weights` must hold d={d} finite numbers, got {weights!r}")
        self.rows: NDArray[np.int64] = indices.astype(np.int64)
        self.weights: NDArray[Any] = factors
        self.rows.flags.writeable = False
        self.weights.flags.writeable = False

    @classmethod
    def draw(
        cls,
        d: int,
        m: int,
        *,
        probabilities: ArrayLike | None = None,
        rng: RNGLike = None,
        dtype: Any = np.float64,
    ) -> Self:
        """Draw the operator; equal seeds and probabilities give equal operators.

        Parameters
        ----------
        d, m : int
            Shape: `d` sampled rows out of `m`.
        probabilities : array_like, shape (m,), optional
            Non-negative numbers, not all zero; their sum is scaled to one. None means uniform.
        rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
            Source of the sample, as in ``numpy.random.default_rng``.
        dtype : dtype, default float64
            Float32 or float64.

        Returns
        -------
        RowSampling
            The drawn operator.

        Raises
        ------
        ValueError
            If `probabilities` has another length than `m`, holds a negative number, NaN or
            infinity, or sums to zero.

        Examples
        --------
        >>> from rnla.sketch import RowSampling
        >>> S = RowSampling.draw(4, 100, rng=0)
        >>> S.weights
        array([5., 5., 5., 5.])
        """
        d, m = check_int(d, "d", 1), check_int(m, "m", 1)
        # The upper 53 bits are a uniform number in [0, 1).
        uniform = (philox_uint64(draw_key(rng), _TAG, d) >> np.uint64(11)) * 2.0**-53
        if probabilities is None:
            rows = np.minimum((uniform * m).astype(np.int64), m - 1)
            return cls(d, m, rows, np.full(d, np.sqrt(m / d)), dtype)
        p = _checked_probabilities(probabilities, m)
        edges = np.cumsum(p)
        # Right of equal edges: a row of probability zero is an empty interval and never met.
        rows = np.searchsorted(edges, uniform * edges[-1], side="right")
        rows = np.minimum(rows, np.flatnonzero(p)[-1])
        return cls(d, m, rows, 1.0 / np.sqrt(d * (p[rows] / edges[-1])), dtype)

    @classmethod
    def from_matrix(
        cls,
        A: Any,
        d: int,
        *,
        by: Literal["norms", "leverage"] = "leverage",
        rng: RNGLike = None,
        dtype: Any = np.float64,
    ) -> Self:
        """Draw rows of a given matrix by their importance.

        Parameters
        ----------
        A : array_like or sparse matrix, shape (m, n)
            The matrix; not all zero.
        d : int
            How many rows to draw.
        by : {"leverage", "norms"}, default "leverage"
            Probabilities proportional to the (sketched) leverage scores or to the squared norms of
            the rows.
        rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
            Source of the sample, as in ``numpy.random.default_rng``.
        dtype : dtype, default float64
            Float32 or float64.

        Returns
        -------
        RowSampling
            The drawn operator.

        Raises
        ------
        ValueError
            If `A` is zero, holds NaN or infinity, or is wider than tall for "leverage".

        Examples
        --------
        >>> import numpy as np
        >>> from rnla.sketch import RowSampling
        >>> A = np.zeros((1000, 2))
        >>> A[3] = 1.0
        >>> RowSampling.from_matrix(A, 5, by="norms", rng=0).rows
        array([3, 3, 3, 3, 3])
        """
        A = as_rows(A, "A")
        rng = as_generator(rng)
        if by == "norms":
            scores = squared_row_norms(A)
        elif by == "leverage":
            scores = leverage_scores(A, rng=rng)
        else:
            raise ValueError(f'`by` must be "norms" or "leverage", got {by!r}')
        if not scores.any():
            raise ValueError("`A` must not be zero: no row has a positive probability")
        return cls.draw(d, A.shape[0], probabilities=scores, rng=rng, dtype=dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return RowSampling, (*self.shape, np.array(self.rows), np.array(self.weights), self.dtype)

    def _add_rows(self, block: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        inside = np.flatnonzero((self.rows >= start) & (self.rows < start + len(block)))
        weights = self.weights[inside].astype(out.real.dtype)
        _add_to_rows(out, inside, weights, block[self.rows[inside] - start])

    _reads_all_rows = False

    # Rows are read where they lie, whatever the layout.
    _add_dense = _add_rows
    _add_fortran = _add_rows
    _add_copied = _add_rows

    def _add_csr(self, block: Any, start: int, out: NDArray[Any]) -> None:
        inside = np.flatnonzero((self.rows >= start) & (self.rows < start + block.shape[0]))
        weights = self.weights[inside].astype(out.real.dtype)
        _add_to_rows(out, inside, weights, block[self.rows[inside] - start].toarray())

    def _adjoint_rows(self, Y: NDArray[Any], start: int, out: NDArray[Any]) -> None:
        out[:] = 0
        inside = np.flatnonzero((self.rows >= start) & (self.rows < start + len(out)))
        weights = self.weights[inside].astype(out.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            np.add.at(out, self.rows[inside] - start, weights[:, None] * Y[inside])

    def tosparse(self) -> csr_array:
        """Return the operator as a sparse matrix.

        Returns
        -------
        scipy.sparse.csr_array, shape (d, m)
            With one entry in every row.

        Examples
        --------
        >>> from rnla.sketch import RowSampling
        >>> RowSampling.draw(4, 100, rng=0).tosparse().nnz
        4
        """
        d, m = self.shape
        return csr_array((np.array(self.weights), np.array(self.rows), np.arange(d + 1)), (d, m))


def _add_to_rows(out: Any, rows: Any, weights: Any, sampled: Any) -> None:
    # An overflow shows in the result, as it does in the other operators.
    with np.errstate(over="ignore", invalid="ignore"):
        out[rows] += weights[:, None] * sampled


def _checked_probabilities(probabilities: ArrayLike, m: int) -> NDArray[np.float64]:
    p = np.asarray(probabilities)
    if p.dtype.kind not in "fiub" or is_sparse(probabilities):
        raise TypeError(f"`probabilities` must hold real numbers, got dtype {p.dtype}")
    if p.shape != (m,):
        raise ValueError(f"`probabilities` must have shape ({m},), got {p.shape}")
    p = p.astype(np.float64)
    largest = p.max()
    if not (p >= 0).all() or not np.isfinite(largest) or largest == 0:
        raise ValueError("`probabilities` must be finite, non-negative and not all zero")
    # Scaled first, so that neither the sum nor a weight can overflow.
    return p / largest  # type: ignore[no-any-return]
