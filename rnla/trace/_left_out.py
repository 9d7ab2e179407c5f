"""What leave-one-out estimators have in common: samples that depend on each other.

The spread of the samples is too small an error bar, for they share all vectors but one in their
sketches. The jackknife, from leaving out one vector more, is too large: its mean is at least the
variance with one vector fewer (B. Efron, C. Stein, "The jackknife estimate of variance", Ann.
Statist. 9 (1981), 586-596), and the error falls fast with the number of vectors. The geometric mean
of the two is near the error for spectra of every kind (bench/trace.py, coverage).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.trace._estimate import honest_stderr, mean_and_stderr
from rnla.trace._rounds import Round, nothing_left
from rnla.trace._vectors import VectorStream


@dataclass(frozen=True)
class LeftOut:
    """The samples of a leave-one-out estimator.

    Attributes
    ----------
    samples : ndarray, shape (k,)
        The estimate with vector i left out of the sketch and used for the residual.
    residuals : ndarray, shape (k,)
        What the vector left out adds.
    rank : int
        Numerical rank of the sketch.
    jackknife : float
        Standard error of the mean by the jackknife.
    lost : float
        An error of all samples alike, from what was too small to be inverted.
    """

    samples: NDArray[Any]
    residuals: NDArray[Any]
    rank: int
    jackknife: float
    lost: float = 0.0


def pair_means(rows: Iterable[NDArray[Any]], k: int) -> NDArray[Any]:
    """Return the means over i of sample i when vector j is left out, too.

    Parameters
    ----------
    rows : iterable of ndarray, shape (p, k)
        Blocks of rows of the matrix of all pairs; its diagonal does not count.
    k : int
        Number of samples.

    Returns
    -------
    ndarray, shape (k,)
        One mean for each j.
    """
    total: Any = np.zeros(k)
    start = 0
    for block in rows:
        total = total + block.sum(axis=0)
        stop = start + len(block)
        total[start:stop] -= np.diagonal(block, start)
        start = stop
    return np.asarray(total / max(k - 1, 1))


def jackknife(without: NDArray[Any]) -> float:
    """Return the jackknife's standard error of a leave-one-out estimate.

    Parameters
    ----------
    without : ndarray, shape (k,)
        The estimate without vector j.

    Returns
    -------
    float
        Infinite for k = 1.
    """
    k = len(without)
    if k < 2:
        return np.inf
    scale = float(np.max(np.abs(without)))
    if not 0 < scale < np.inf:
        return scale
    without = without / scale
    spread = float(np.linalg.norm(without - without.mean()))
    return scale * spread * float(np.sqrt((k - 1) / k))


def left_out_round(
    method: str, found: LeftOut, floor: float, vectors: VectorStream, hermitian: bool
) -> Round:
    """Average the samples of a leave-one-out estimator.

    Parameters
    ----------
    method : str
        Its name.
    found : LeftOut
        Samples.
    floor : float
        Size of rounding errors.
    vectors : VectorStream
        The test vectors.
    hermitian : bool
        Whether the trace is real.

    Returns
    -------
    Round
        Exact where the sketch has smaller rank than columns and leaves nothing over but rounding,
        whose spread is in the error bar. Signs do not show that: they may be orthogonal to rows of
        A, or equal to each other.
    """
    samples = found.samples.real if hermitian else found.samples
    value, spread = mean_and_stderr(samples)
    small = nothing_left(np.append(found.residuals, found.lost), floor)
    exact = small and found.rank < len(samples) and vectors.generic
    stderr = float(np.sqrt(spread) * np.sqrt(found.jackknife))
    stderr = honest_stderr(stderr, floor, len(samples), 1 if small else 2, vectors.kind)
    if exact and len(samples) == 1:
        stderr = float(np.abs(found.residuals[0]))
    return Round(
        value=value,
        stderr=float(np.hypot(stderr, found.lost)),
        degrees_of_freedom=len(samples) - 1,
        floor=floor,
        exact=exact,
        samples=samples,
        method=f"{method}, exact (rank {found.rank})" if exact else method,
    )
