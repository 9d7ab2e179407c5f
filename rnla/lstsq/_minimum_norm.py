"""More columns than rows: the solution of minimum norm, from a factor of the tall ``A^H``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Iteration, State
from rnla.linalg.factor import column_scale, frobenius
from rnla.linalg.normal import DampedNormal, NormalOperator
from rnla.linalg.precondition import Preconditioner, preconditioner_from_factor
from rnla.lstsq._choose import is_damped_wide
from rnla.lstsq._defaults import EPS
from rnla.lstsq._inner import ROUND_DROP, conjugate_gradients
from rnla.lstsq._iterations import moved, refinement
from rnla.lstsq._problem import Problem, Solved
from rnla.lstsq._rounds import Round, worst

# Beyond these scales of A the multipliers, which are squares, could leave the range.
_EXTREME = 1e60
# How far above one right-hand sides may be.
_ROOM = 2.0**500
# A round gains at least this.
_MOST_DROP = 0.1
# Part of one roundoff that damping may leave in the residual.
_SHARE = 0.25


class MinimumNormCertificate:
    """Backward error of a solution x of minimum norm with its multipliers y.

    For the row-scaled matrix ``D A``, relative to its Frobenius norm, the root of the sum of
    squares of two changes of A:

    - ``||D r|| / ||x||`` for the residual ``r = b - A x``, or for its part in the range of A where
      rows depend on each other, makes x a solution;
    - ``||x - A^H y|| / ||D^-1 y||`` puts x into the row space, where the norm is smallest.

    To first order one change of that size does both [1]_.

    Parameters
    ----------
    preconditioner : Preconditioner
        Of ``A^H``; holds its triangular factor and D.

    References
    ----------
    .. [1] A. Kielbasinski, H. Schwetlick, "Numerische lineare Algebra", VEB, Berlin 1988; as Lemma
       21.2 in N. J. Higham, "Accuracy and stability of numerical algorithms", SIAM 2002.
    """

    def __init__(self, preconditioner: Preconditioner) -> None:
        self.P = preconditioner
        self.norm = frobenius(preconditioner.R)

    def size(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the column norms of `X`."""
        return column_sizes(X)

    def certify(
        self, residual: NDArray[Any], X: NDArray[Any], Y: NDArray[Any], distance: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Return the two parts of the error per column; `distance` is ``x - A^H y``."""
        P = self.P
        part = scaled = P.scale * residual
        if P.rank < P.shape[0]:
            part = P.lift(P.rmatmat(residual))
        sizes = self.size(part), self.size(distance)
        with np.errstate(divide="ignore", invalid="ignore"):
            first = sizes[0] / self.size(X)
            if P.rank < P.shape[0]:
                # A change of rank one makes the residual orthogonal to the range.
                slope, whole = self.size(P.coordinates(part / P.scale)), self.size(residual)
                first = np.fmin(first, slope / whole * (self.size(scaled) / whole))
            second = sizes[1] / self.size(Y / P.scale)
        parts = np.where(np.equal(sizes, 0), 0.0, (first, second))
        return np.asarray(parts / (self.norm or 1.0))

    def estimate(
        self,
        rho: NDArray[Any],
        r_norm: NDArray[np.float64],
        x_size: NDArray[np.float64],
        enough: float,
    ) -> NDArray[np.float64]:
        """Return the first part from ``rho = P^H r``, which the iteration keeps up to date."""
        size = self.size(self.P.lift(rho))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(size == 0, 0.0, size / (x_size * self.norm))


@dataclass
class DualRound(Round):
    """A round whose `G` is the residual ``b - A x``, with the multipliers y of ``x = A^H y``.

    Attributes
    ----------
    Y : ndarray, shape (m, k)
        The multipliers.
    parts : ndarray, shape (2, k)
        The parts of the error: of the residual and of the distance from the row space.
    unit : ndarray, shape (k,)
        What brings the conjugate of `X` back to the caller's scale.
    residual_unit : ndarray, shape (k,)
        What brings residuals back to it.
    damp : float
        With damping the last entries of `X` are ``z = (b - A x) / damp``, and the residual that
        the caller is told of is that of ``[A; damp I]``.
    """

    Y: NDArray[Any]
    parts: NDArray[np.float64]
    unit: NDArray[np.float64]
    residual_unit: NDArray[np.float64]
    damp: float = 0.0

    def state(self, n_iter: int, late: NDArray[np.bool_] | None = None) -> State:
        """Return it as the driver's certified state, in the caller's coordinates."""
        r_norm = self.r_norm
        if self.damp:
            x, z = np.split(self.X, [len(self.X) - len(self.G)])
            r_norm = np.hypot(*map(column_sizes, (self.G + self.damp * z, self.damp * x)))
        return replace(
            super().state(n_iter, late),
            form=lambda: caller_part(self.unit * self.X.conj(), len(self.G), self.damp),
            residual_norm=self.residual_unit * r_norm,
        )


def caller_part(X: NDArray[Any], m: int, damp: float) -> NDArray[Any]:
    """Return the entries of (x, z) that the caller asked for."""
    return X[: len(X) - m] if damp else X


def column_sizes(X: NDArray[Any]) -> NDArray[np.float64]:
    """Return the column norms of `X`, whose squares may leave the range."""
    unit = column_scale(np.abs(X).max(axis=0, initial=0.0))
    return np.asarray(np.linalg.norm(X * unit, axis=0) / unit)


class MinimumNorm:
    r"""Refinement of ``x = A^H y``, with a sketch's factor of ``A^H`` as preconditioner P.

    Each round forms ``r = b - A x`` anew and solves ``(P^H A A^H P) dw = P^H r`` by conjugate
    gradients; then ``x <- x + A^H P dw``. Rounding of that product leaves a residual as large as
    eps times the condition number, which a second round brings to its square and no further: the
    noise of r, magnified by small singular values, is rounded again. So from the second round on
    the correction is damped, ``(D A A^H D + mu^2 I) D^-1 dy = D r``, with
    ``mu = eps ||D A|| / error``: what lies below mu is in r only by less than roundoff, and the
    error is squared in every round for any condition number.

    Parameters
    ----------
    A : NormalOperator
        The transposed matrix, (n, m). The problem is conjugated, so its adjoint takes the place
        of the caller's matrix.
    B : ndarray, shape (m, k)
        Right-hand sides.
    P : Preconditioner
        Of `A`, shape (m, rank).
    tolerance : float
        Error that is wanted.
    unit : float
        What `A` was multiplied by.
    """

    def __init__(
        self, A: NormalOperator, B: NDArray[Any], P: Preconditioner, tolerance: float, unit: float
    ) -> None:
        self.A, self.P, self.tolerance = A, P, tolerance
        self.damp = float(A.damp) if isinstance(A, DampedNormal) else 0.0
        # Rows of any size: D b is brought to about one, as far as b itself stays in range.
        largest = column_scale(np.abs(B).max(axis=0, initial=0.0))
        with np.errstate(over="ignore", under="ignore"):
            b_unit = column_scale(np.abs(P.scale * B).max(axis=0, initial=0.0))
            b_unit = np.fmin(b_unit, largest * _ROOM)
        self.B = B.conj() * b_unit
        self.residual_unit, self.unit = 1 / b_unit, unit / b_unit
        self.certificate = MinimumNormCertificate(P)
        # The round's, damped or not.
        self._Q = P

    def states(self) -> Iteration:
        """Return the iteration for the driver; it starts from ``y = P P^H b``."""
        start = self._product(self.P.matmat(self.P.rmatmat(self.B)))
        rank = self.P.rank
        return refinement(start, rank, self._correct, self._form, self._advance, self.tolerance)

    def _product(self, Y: NDArray[Any]) -> DualRound:
        X = self.A.product(Y)
        return self._certified(X, Y, np.zeros_like(X))

    def _certified(self, X: NDArray[Any], Y: NDArray[Any], distance: NDArray[Any]) -> DualRound:
        R = self.B - self.A.adjoint_product(X)
        parts = self.certificate.certify(R, X, Y, distance)
        r_norm = self.certificate.size(R)
        errors = np.hypot(*parts)

        def recertify(other: NDArray[Any]) -> NDArray[np.float64]:
            near = other.conj() / self.unit
            near = np.vstack([near, X[len(near) :]])
            return self._certified(near, Y, near - self.A.product(Y)).errors

        units = self.unit, self.residual_unit
        return DualRound(X, R, r_norm, errors, recertify, Y, parts, *units, self.damp)

    def _correct(
        self, now: DualRound, dW: NDArray[Any], columns: NDArray[np.intp], first: bool
    ) -> Iterator[NDArray[np.float64]]:
        A, norm = self.A, self.certificate.norm
        self._Q = self.P
        # Rounding of A^H y lets no round gain more; the rest is left to the next.
        drop = EPS * self.P.condition
        if not first:
            drop = worst(now.parts[0, columns])
            damp = _SHARE * EPS * norm / drop if drop > 0 else 0.0
            if damp * self.P.condition > norm:
                A, self._Q = DampedNormal(A, damp / self.P.scale), self.P.damped(damp)
        return conjugate_gradients(
            A,
            self._Q,
            self.certificate,
            now,
            self.B,
            columns,
            dW,
            self.tolerance,
            first=False,
            drop=min(_MOST_DROP, max(ROUND_DROP, drop)),
        )

    def _form(self, now: DualRound, dW: NDArray[Any], columns: NDArray[np.intp]) -> NDArray[Any]:
        X = moved(now.X, self.A.product(self._Q.matmat(dW)), columns)
        return caller_part(self.unit * X.conj(), len(self.B), self.damp)

    def _advance(
        self, now: DualRound, dW: NDArray[Any], columns: NDArray[np.intp], first: bool
    ) -> DualRound:
        dY = self._Q.matmat(dW)
        Y = moved(now.Y, dY, columns)
        if first:
            # The start's x carries the rounding errors of multipliers that are far too large.
            return self._product(Y)
        products = self.A.product(np.hstack([dY, Y]))
        X = moved(now.X, products[:, : len(columns)], columns)
        return self._certified(X, Y, X - products[:, len(columns) :])


def solve_minimum_norm(
    problem: Problem, tall: NormalOperator, P: Preconditioner, method: str
) -> Solved:
    """Refine with a preconditioner of the transposed matrix.

    Parameters
    ----------
    problem : Problem
        With m < n, damped or not.
    tall : NormalOperator
        Its matrix, transposed; with damping ``[A, damp I]^T``.
    P : Preconditioner
        Of `tall`.
    method : str
        Name for the result.

    Returns
    -------
    Solved
        The outcome.
    """
    typical = float(np.median(P.scale))
    unit, scaled, Q = 1.0, tall, P
    if not 1 / _EXTREME < typical < _EXTREME:
        unit = float(1 / column_scale(np.asarray(typical)))
        A = problem.A
        scaled = A.ridge_transposed(unit) if is_damped_wide(A) else A.transposed(unit)
        Q = preconditioner_from_factor(P.R, P.scale[:, 0] / unit, problem.rcond)
    B = problem.B[: tall.shape[1]]
    outcome = problem.run(MinimumNorm(scaled, B, Q, problem.tolerance, unit).states())
    for used in {id(one): one for one in (tall, scaled)}.values():
        # Products with a dense copy are none of the caller's operator.
        if problem.A.matrix_free and not used.matrix_free:
            continue
        problem.A.n_matvec += used.n_matvec
        problem.A.n_passes += used.n_passes
    solved = Solved.with_preconditioner(outcome, P, method, wide=True)
    A = problem.A
    if is_damped_wide(A) and A.damp > problem.rcond * frobenius(P.R / P.scale[:, 0]):
        # What the penalty lifts above the cut-off counts.
        return replace(solved, rank=A.shape[1])
    return solved
