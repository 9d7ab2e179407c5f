"""Flexible GMRES with the approximate solver as preconditioner, restarted on true residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Iteration
from rnla.refinement._norms import column_norms
from rnla.refinement._problem import Patience, Problem, Round

# A cycle aims below the tolerance, because its running estimate drifts from the truth.
_AIM = 0.25
_FLAT_CYCLES = 3
_CYCLE_GAIN = 0.95


def krylov(problem: Problem, now: Round, memory: int) -> Iteration:
    """Yield the states of refinement whose corrections are cycles of flexible GMRES [1]_.

    Each cycle forms the residual anew, minimises ``||r - A Z y||`` over directions Z that are B
    applied to an orthonormal Krylov basis, and sets ``x <- x + Z y``.

    Parameters
    ----------
    problem : Problem
        Linear equation, solver and right-hand sides.
    now : Round
        The first iterates.
    memory : int
        Steps of a cycle.

    Yields
    ------
    State
        After the start, every step and every cycle.

    References
    ----------
    .. [1] Y. Saad, "A flexible inner-outer preconditioned GMRES algorithm", SIAM J. Sci. Comput.
       14 (1993), 461-469.
    """
    patience = Patience(_FLAT_CYCLES, _CYCLE_GAIN)
    n_iter = 0
    stop = yield problem.state(n_iter, now)
    while not stop and not patience.exhausted(now):
        columns = problem.open_columns(now)
        cycle = _Cycle(problem, now, columns)
        aim = _AIM * problem.tolerance
        # Beyond, the recursion has no correct digits.
        drop = np.sqrt(np.finfo(now.R.dtype).eps)
        while len(cycle.Z) < memory and cycle.extend():
            n_iter += 1
            Y, estimate = cycle.minimise()
            X = _moved(now.X, columns, cycle.Z, Y)
            errors = now.errors.copy()
            errors[columns] = problem.equation.errors(
                estimate, X[:, columns], problem.b_norm[columns]
            )
            stop = yield problem.estimate(n_iter, errors, X)
            if stop or not ((errors[columns] > aim) & (estimate > drop * cycle.beta)).any():
                break
        if not cycle.Z:
            return
        moved = problem.moved(now, X, columns)
        if moved is None:
            return
        now = moved
        stop = (yield problem.state(n_iter, now)) or stop or bool(problem.note)


class _Cycle:
    """Arnoldi's method for ``A B``, all right-hand sides in step, each with a basis of its own."""

    def __init__(self, problem: Problem, now: Round, columns: NDArray[np.intp]) -> None:
        self.problem, self.columns = problem, columns
        self.beta = now.r_norm[columns]
        self.dtype = now.R.dtype
        self.V = [(now.R[:, columns] / self.beta).astype(self.dtype)]
        self.Z: list[NDArray[Any]] = []
        self.H: list[NDArray[Any]] = []
        self.alive = np.ones(len(columns), bool)

    def extend(self) -> bool:
        """Add one direction; False if there is none to add."""
        alive = np.flatnonzero(self.alive)
        if len(alive) == 0:
            return False
        V = self.V[-1]
        direction = self.problem.correction(V[:, alive], self.columns[alive])
        if direction is None:
            return False
        Z = np.zeros((len(direction), V.shape[1]), self.dtype)
        W = np.zeros_like(V)
        Z[:, alive] = direction
        W[:, alive] = self.problem.equation.product(direction)
        size = column_norms(W)
        if not np.isfinite(size).all():
            self.problem.note = "`A` returned NaN or infinity; the best iterate is returned"
            return False
        h = np.zeros((len(self.V) + 1, V.shape[1]), np.result_type(self.dtype, np.float64))
        for i, basis in enumerate(self.V):
            h[i] = np.einsum("ij,ij->j", basis.conj(), W)
            W = W - (h[i] * basis).astype(self.dtype)
        rest = column_norms(W)
        # What remains of a dependent column is rounding: its right-hand side is done.
        self.alive = self.alive & (rest > 10 * np.finfo(self.dtype).eps * size)
        h[-1] = np.where(self.alive, rest, 0.0)
        self.V.append(
            (W * np.where(self.alive, 1 / np.where(rest > 0, rest, 1.0), 0.0)).astype(self.dtype)
        )
        self.Z.append(Z)
        self.H.append(h)
        return True

    def minimise(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return the coefficients of the directions and the norms of the residuals they leave."""
        j, k = len(self.H), len(self.beta)
        Y = np.zeros((j, k), self.H[0].dtype)
        left = np.zeros(k)
        for c in range(k):
            H = np.zeros((j + 1, j), Y.dtype)
            for i, h in enumerate(self.H):
                H[: i + 2, i] = h[:, c]
            e = np.zeros(j + 1, Y.dtype)
            e[0] = self.beta[c]
            # Least norm: directions that were not added have zero columns.
            Y[:, c] = np.linalg.lstsq(H, e)[0]
            left[c] = np.linalg.norm(e - H @ Y[:, c])
        return Y, left


def _moved(
    X: NDArray[Any], columns: NDArray[np.intp], Z: list[NDArray[Any]], Y: NDArray[Any]
) -> NDArray[Any]:
    """Return X with ``Z y`` added to its open columns."""
    X = X.copy()
    for direction, y in zip(Z, Y, strict=True):
        X[:, columns] += (direction * y).astype(X.dtype)
    return X
