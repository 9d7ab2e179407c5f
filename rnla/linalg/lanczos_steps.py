"""Several steps of the Lanczos process with a sparse matrix in one call of a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core import threads
from rnla._kernels import lanczos_turns as turns
from rnla.linalg.expansion import SHARE_LEFT
from rnla.linalg.orthogonality import PROJECTED, ROUNDOFFS
from rnla.linalg.spmm import row_cuts

# Rows of a part, and most parts: the same for every number of threads.
_PART_ROWS, _MOST_PARTS = 2048, 16
# Multiplications up to which waking the pool costs more than it saves.
_INLINE = 1 << 21


class Chain:
    """What is known of the loss of orthogonality, from one call to the next.

    The first step of a chain is projected against all vectors, which shows the errors of products.

    Parameters
    ----------
    T : ndarray, shape (m, m)
        A in the space of the vectors so far, which are orthonormal: tridiagonal but for rows of
        vectors that are kept.
    capacity : int
        Most vectors.
    eps : float
        Roundoff.
    kept : int
        The first vectors, which the recurrence has not made.
    errors : float
        Norm of the residuals of those, if they are Ritz vectors.
    threshold : float
        Inner products up to which vectors are left as they are. Ritz values do not notice, and
        residuals become about as long. With zero all steps are projected against all vectors.

    Attributes
    ----------
    capacity, kept, threshold : int, int, float
        As above.
    arrays : tuple of ndarray
        As the kernel wants them.
    """

    def __init__(
        self,
        T: NDArray[Any],
        capacity: int,
        eps: float,
        *,
        kept: int = 0,
        errors: float = np.inf,
        threshold: float = 0.0,
    ) -> None:
        self.capacity, self.kept, self.threshold = capacity, kept, threshold
        a, b, size = np.zeros(capacity), np.zeros(capacity), len(T)
        a[:size], b[: size - 1] = T.diagonal().real, T.diagonal(1).real
        b[:kept] = 0.0
        length = float(np.abs(a).max())
        known = np.zeros((2, turns.KNOWN))
        known[:, turns.THRESHOLD] = threshold
        known[:, turns.PROJECTED], known[:, turns.SIZE] = PROJECTED * eps, length
        known[:, turns.ERRORS], known[:, turns.SUSPECT] = ROUNDOFFS * eps, capacity
        if length > 0:
            known[0, turns.ERRORS] += errors / length
        self.arrays = a, b, np.full((2, capacity), PROJECTED * eps), known

    @property
    def noise(self) -> float:
        """Errors of products, as far as they show."""
        known = self.arrays[-1][1]
        return float(known[turns.ERRORS] * known[turns.SIZE])


@dataclass(frozen=True)
class LanczosSteps:
    """What a few steps have found.

    Attributes
    ----------
    H : ndarray, shape (s, m)
        Of each step made, ``v_i . (A v_j)`` for all vectors, in two projections, or for those kept
        and the last two of a chain with a threshold; m is the number of vectors before the last
        step adds one.
    leak : float
        Norm of those that are zero for an exact recurrence, or the errors of products that show.
    remainder : ndarray, shape (n, 1)
        What is left of the last product.
    length : float
        Of the last product.
    block : ndarray, shape (n, 1), or None
        The remainder, normalised, unless that needs care.
    """

    H: NDArray[np.float64]
    leak: float
    remainder: NDArray[Any]
    length: float
    block: NDArray[Any] | None


def lanczos_steps(
    factors: list[Any],
    vectors: NDArray[Any],
    size: int,
    count: int,
    noise: float,
    chain: Chain | None = None,
) -> LanczosSteps:
    """Make a few steps, each orthogonalised against all vectors as `expanded` does.

    Parameters
    ----------
    factors : list of csr_array
        One or two whose product, the last one applied last, is symmetric: real, of checked
        structure.
    vectors : ndarray, shape (capacity, n)
        C-ordered, of their dtype: orthonormal rows, to which those of later steps are added.
    size : int
        How many there are, at least two. The last one is multiplied first.
    count : int
        Steps; fewer are made where one needs care.
    noise : float
        The length below which a remainder is noise, in units of that of the product.
    chain : Chain, optional
        What is known of the vectors so far; goes along. By default every step is projected against
        all of them.

    Returns
    -------
    LanczosSteps
        The same bits for every number of threads.

    Raises
    ------
    ValueError
        If shapes or dtypes do not fit, or there is no room for so many vectors.
    """
    capacity, n = vectors.shape
    first, last = factors[0], factors[-1]
    m, dtype = (first.shape[0] if len(factors) == 2 else 0), first.dtype
    fits = vectors.dtype == dtype == last.dtype and vectors.flags.c_contiguous
    fits = fits and (first.shape[1], last.shape) == (n, (n, m or n)) and len(factors) <= 2
    fits = fits and (chain is None or (chain.capacity == capacity and chain.kept < size))
    if not fits or not 2 <= size <= capacity - count + 1 or count < 1:
        raise ValueError(
            f"`vectors` must be C-ordered and fit a matrix of shape {last.shape} and dtype "
            f"{dtype}, with room for {count} steps after {size} of them; got {vectors.shape}, "
            f"{vectors.dtype}"
        )
    limits = np.finfo(dtype)
    parts = max(1, min(_MOST_PARTS, n // _PART_ROWS))
    most = size + count - 1
    y, w = np.zeros(m, dtype), np.zeros(n, dtype)
    near, far, squares = np.zeros((count, 3)), np.zeros((count, most)), np.zeros((count, 1))
    if chain is None:
        chain = Chain(np.zeros((1, 1)), capacity, float(limits.eps))
    counters = np.zeros(turns.COUNTERS, np.int64)
    arguments = (
        tuple((A.indptr, A.indices, A.data) for A in (first, last)),
        np.array([row_cuts(A.indptr, parts) for A in (first, last)]),
        np.array([n * part // parts for part in range(parts + 1)]), vectors, chain.kept, size,
        count, y, w, near, np.zeros((count, 3), np.int64), far, np.zeros(most), squares,
        np.zeros((2, parts, max(most, 3))),
        (noise, SHARE_LEFT, float(limits.tiny / limits.eps), float(limits.max / 4)), chain.arrays,
        counters, threads.LOOKS,
    )  # fmt: skip

    work = count * (sum(A.nnz for A in factors) + 2.0 * most * n)
    helpers = min(threads.get_num_threads(), parts) if work >= _INLINE else 1
    threads.take_turns(lambda: turns.lanczos_turns(*arguments), helpers)
    stopped = int(counters[turns.STOPPED])
    made = stopped or count
    H, near = far[:made, : size + made - 1], near[:made]
    rows, before = np.arange(made), np.arange(size - 2, size + made - 2)
    older = np.arange(H.shape[1]) < before[:, None]
    # What leaves the range is left to those who look for it.
    with np.errstate(over="ignore", invalid="ignore"):
        square = squares[made - 1, 0] + np.sum(H[-1] ** 2) + np.sum(near[-1, :2] ** 2)
        leak = float(np.sqrt(np.sum(np.where(older, H, 0.0) ** 2, axis=1)).max())
        whole, length = float(np.sqrt(square)), np.sqrt(squares[made - 1, 0])
    if chain.threshold > 0:
        # What lost orthogonality has left along older vectors is no part of A in their span.
        older[:, : chain.kept] = False
        H, leak = np.where(older, 0.0, H), chain.noise
    H[rows, before] += near[:, 0]
    H[rows, before + 1] += near[:, 1]
    block = None if stopped else (w / dtype.type(length))[:, None]
    return LanczosSteps(H, leak, w[:, None], whole, block)
