"""XTrace: Hutch++ with one vector left out of the sketch at a time.

E. N. Epperly, J. A. Tropp, R. J. Webber, "XTrace: making the most of every sample in stochastic
trace estimation", SIAM J. Matrix Anal. Appl. 45 (2024), 1-23.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.trace._assumptions import check_products, check_residuals
from rnla.trace._basis import Downdate, downdate
from rnla.trace._exact import exact_rounds
from rnla.trace._input import Operand
from rnla.trace._left_out import LeftOut, jackknife, left_out_round, pair_means
from rnla.trace._rounds import Budget, Round, rounding_floor
from rnla.trace._sketches import range_sketches
from rnla.trace._vectors import VectorStream, column_norms


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
        check_products(operand, sketch.Q, sketch.Z)
        found = xtrace_samples(
            sketch.Omega, sketch.Q, sketch.R, sketch.Z, resphere=resphere, eps=eps
        )
        floor = rounding_floor(operand, sketch.size)
        check_residuals(operand, found.residuals, floor)
        del sketch
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
    if down.U is not None:
        U = down.U
        H, W, T, R = U.conj().T @ H @ U, U.conj().T @ W, U.conj().T @ T, U.conj().T @ R
    squares = column_norms(Omega) ** 2 if resphere else None
    forms = _Forms(H, W, T, R, down, n, squares)
    samples, residuals = forms.without_one()
    without = pair_means([forms.without_two()], len(samples))
    return LeftOut(samples, residuals, down.rank, jackknife(without))


class _Forms:
    """Small matrices with which samples are written, in coordinates of Q.

    With vectors i and j left out, P loses the span of ``Q s_i`` and ``Q s_j``, and the projection
    of w_i is ``Q x`` with ``x = w_i - a s_i - b s_j``.
    """

    def __init__(
        self,
        H: NDArray[Any],
        W: NDArray[Any],
        T: NDArray[Any],
        R: NDArray[Any],
        down: Downdate,
        n: int,
        squares: NDArray[np.float64] | None,
    ) -> None:
        self.H, self.W, self.T, self.S = H, W, T, down.S
        self.trace = np.trace(H)
        self.overlap = _dots(self.S, W)
        self.images = _dots(self.S, R)
        self.essential = down.essential
        self.free = n - down.dimensions
        self.squares = squares

    def without_one(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return sample i, and the part of it that the residual adds."""
        S, H = self.S, self.H
        X = self.W - S * self.overlap
        residuals = _dots(X, H @ X) - _dots(self.T, X) + self.overlap.conj() * self.images
        residuals = residuals * self._factors(self.free, np.sum(np.abs(X) ** 2, axis=0), np.s_[:])
        return self.trace - _dots(S, H @ S) + residuals, residuals

    def without_two(self) -> NDArray[Any]:
        """Return sample i with vector j left out, too, for all i (rows) and j."""
        S, H, W = self.S, self.H, self.W
        column = np.s_[:, None]
        M = S.conj().T @ H @ S
        inner, coordinates = S.conj().T @ S, (S.conj().T @ W).T
        # Directions that are the same to rounding are left out once.
        determinant = 1.0 - np.abs(inner) ** 2
        apart = determinant > 64 * np.finfo(np.float64).eps
        inner = np.where(apart, inner, 0.0)
        determinant = np.where(apart, determinant, 1.0)
        own = self.overlap[column]
        a = (own - inner * np.where(apart, coordinates, 0.0)) / determinant
        b = np.where(apart, coordinates - inner.conj() * own, 0.0) / determinant
        MM = np.diagonal(M)
        removed = MM[column] + np.where(apart, MM - inner * M.T - inner.conj() * M, 0.0)
        WHS, SHW, TS = W.conj().T @ H @ S, (S.conj().T @ H @ W).T, self.T.conj().T @ S
        form = (
            _dots(W, H @ W)[column]
            - np.diagonal(WHS)[column] * a
            - WHS * b
            - np.diagonal(SHW)[column] * a.conj()
            - SHW * b.conj()
            + np.abs(a) ** 2 * MM[column]
            + np.abs(b) ** 2 * MM
            + a.conj() * b * M
            + b.conj() * a * M.T
        )
        form -= _dots(self.T, W)[column] - np.diagonal(TS)[column] * a - TS * b
        form += a.conj() * self.images[column]
        length = np.sum(np.abs(W) ** 2, axis=0)[column] - (own.conj() * a).real
        length = length - (coordinates.conj() * b).real
        free = self.free[column] + (self.essential & apart)
        form = form * self._factors(free, length, column)
        pairs: NDArray[Any] = self.trace - removed / determinant + form
        return pairs

    def _factors(self, free: Any, inside: NDArray[np.float64], index: Any) -> Any:
        return 1.0 if self.squares is None else sphere_factors(free, self.squares[index] - inside)


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


def _dots(X: NDArray[Any], Y: NDArray[Any]) -> NDArray[Any]:
    dots: NDArray[Any] = np.einsum("ij,ij->j", X.conj(), Y)
    return dots
