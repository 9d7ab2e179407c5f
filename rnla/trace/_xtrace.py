"""XTrace: Hutch++ with one vector left out of the sketch at a time.

E. N. Epperly, J. A. Tropp, R. J. Webber, "XTrace: making the most of every sample in stochastic
trace estimation", SIAM J. Matrix Anal. Appl. 45 (2024), 1-23.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.trace._basis import downdate
from rnla.trace._estimate import mean_and_stderr
from rnla.trace._exact import exact_rounds
from rnla.trace._input import Operand
from rnla.trace._rounds import Budget, Round, rounding_floor
from rnla.trace._sketches import range_sketches
from rnla.trace._vectors import VectorStream, column_norms

# The rank tells; the residuals, this many rounding floors at the most, confirm it.
_ROUNDOFFS = 1000


@dataclass(frozen=True)
class LeftOut:
    """The samples of a leave-one-out estimator.

    Attributes
    ----------
    samples : ndarray, shape (k,)
        The estimate with vector i left out of the sketch and used for the residual.
    rank : int
        Numerical rank of the sketch.
    residuals : ndarray, shape (k,)
        What the vector left out adds.
    """

    samples: NDArray[Any]
    rank: int
    residuals: NDArray[Any]


def xtrace_rounds(
    operand: Operand, vectors: VectorStream, resphere: bool, budget: Budget
) -> Iterator[Round]:
    """Yield XTrace's estimate for more and more test vectors, two products each.

    Parameters
    ----------
    operand : Operand
        The matrix.
    vectors : VectorStream
        Test vectors.
    resphere : bool
        Whether their projections get the length of vectors of the complement.
    budget : Budget
        Products to make.

    Yields
    ------
    Round
        One; with a tolerance, as many as it takes, every product used again in the next one.
    """
    eps = float(np.finfo(operand.dtype).eps)
    for sketch in range_sketches(operand, vectors, budget):
        if sketch is None:
            yield from exact_rounds(operand, "xtrace, then exact (as cheap)")
            return
        found = xtrace_samples(
            sketch.Omega, sketch.Q, sketch.R, sketch.Z, resphere=resphere, eps=eps
        )
        floor = rounding_floor(operand, sketch.size)
        yield left_out_round("xtrace", found, floor, vectors, operand.hermitian)


def xtrace_samples(
    Omega: NDArray[Any],
    Q: NDArray[Any],
    R: NDArray[Any],
    Z: NDArray[Any],
    *,
    resphere: bool,
    eps: float,
) -> LeftOut:
    """Return the estimates with one vector left out of the sketch each.

    Parameters
    ----------
    Omega : ndarray, shape (n, k)
        Test vectors.
    Q, R : ndarray, shapes (n, k) and (k, k)
        ``A Omega = Q R``.
    Z : ndarray, shape (n, k)
        ``A Q``.
    resphere : bool
        As above.
    eps : float
        Machine epsilon of the products.

    Returns
    -------
    LeftOut
        Sample i is ``tr(P A P) + w_i* (I - P) A (I - P) w_i`` with P the orthogonal projector onto
        the span of all ``A w_j`` but ``A w_i``.
    """
    n = len(Omega)
    double = R.dtype
    H = (Q.conj().T @ Z).astype(double)
    W = (Q.conj().T @ Omega).astype(double)
    T = (Z.conj().T @ Omega).astype(double)
    down = downdate(R, eps)
    S = down.S
    if down.U is not None:
        U = down.U
        H, W, T, R = U.conj().T @ H @ U, U.conj().T @ W, U.conj().T @ T, U.conj().T @ R
    # X holds the coordinates of the projections of the vectors left out.
    overlap = _dots(S, W)
    X = W - S * overlap
    removed = _dots(S, H @ S)
    residuals = _dots(X, H @ X) - _dots(T, X) + overlap.conj() * _dots(S, R)
    if resphere:
        residuals = residuals * sphere_factors(
            n - down.dimensions,
            column_norms(Omega) ** 2 - np.sum(np.abs(X) ** 2, axis=0),
        )
    return LeftOut(np.trace(H) - removed + residuals, down.rank, residuals)


def sphere_factors(dimensions: NDArray[Any], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what turns projections of these squared lengths into ones of length sqrt(dimension).

    Parameters
    ----------
    dimensions : ndarray of int
        Of the complements.
    squares : ndarray
        Squared lengths.

    Returns
    -------
    ndarray
        The factors of quadratic forms.
    """
    tiny = np.finfo(np.float64).tiny
    factors: NDArray[np.float64] = dimensions / np.maximum(squares, tiny)
    return np.where(dimensions > 0, factors, 0.0)


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
        Exact where the sketch has smaller rank than columns and leaves nothing over. Signs do not
        show that: they may be orthogonal to rows of A, or equal to each other.
    """
    samples = found.samples.real if hermitian else found.samples
    value, stderr = mean_and_stderr(samples)
    small = bool(np.max(np.abs(found.residuals)) <= _ROUNDOFFS * floor)
    exact = small and found.rank < len(samples) and vectors.generic
    return Round(
        value=value,
        stderr=0.0 if exact else stderr,
        degrees_of_freedom=len(samples) - 1,
        floor=floor,
        exact=exact,
        samples=samples,
        method=f"{method}, exact (rank {found.rank})" if exact else method,
    )


def _dots(X: NDArray[Any], Y: NDArray[Any]) -> NDArray[Any]:
    dots: NDArray[Any] = np.einsum("ij,ij->j", X.conj(), Y)
    return dots
