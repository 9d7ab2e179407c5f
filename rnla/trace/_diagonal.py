"""Estimators of the diagonal.

C. Bekas, E. Kokiopoulou, Y. Saad, "An estimator for the diagonal of a matrix", Appl. Numer. Math.
57 (2007), 1214-1229; E. N. Epperly, J. A. Tropp, R. J. Webber, "XTrace: making the most of every
sample in stochastic trace estimation", SIAM J. Matrix Anal. Appl. 45 (2024), 1-23.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.trace._assumptions import check_adjoint, check_products
from rnla.trace._basis import Basis, downdate
from rnla.trace._estimate import agreement_counts
from rnla.trace._exact import identity_blocks
from rnla.trace._hutchpp import split
from rnla.trace._input import BLOCK, Operand
from rnla.trace._left_out_rows import average_diagonals
from rnla.trace._nystrom import semidefinite_core
from rnla.trace._rounds import Budget, Round, norm
from rnla.trace._sketches import nystrom_sketches, range_sketches
from rnla.trace._vectors import VectorStream, column_norms
from rnla.trace._xnystrace import downdate_sums

_START = 16
_ROWS = 256


class Moments:
    """Mean and spread of vectors that come one at a time, so that their blocks do not matter."""

    def __init__(self, n: int, dtype: Any) -> None:
        self.count = 0
        self.mean: NDArray[Any] = np.zeros(n, np.result_type(dtype, np.float64))
        self.squares: NDArray[np.float64] = np.zeros(n)

    def add(self, X: NDArray[Any]) -> None:
        """Add the columns of X."""
        for x in np.ascontiguousarray(X.T):
            self.count += 1
            before = x - self.mean
            self.mean += before / self.count
            self.squares += (before.conj() * (x - self.mean)).real

    def stderr(self, floor: Any, degree: int, kind: str) -> NDArray[np.float64]:
        """Return standard errors of the mean.

        Parameters
        ----------
        floor : float or ndarray
            Rounding errors.
        degree : int
            Of an entry in the entries of a test vector.
        kind : str
            Of the test vectors.

        Returns
        -------
        ndarray
            Infinite after one vector, or where all agree and that may be by chance.
        """
        k = self.count
        if k < 2:
            return np.full(len(self.mean), np.inf)
        found = np.sqrt(self.squares / (k * (k - 1.0)))
        if kind == "signs" and not agreement_counts(k, degree):
            found[found <= floor] = np.inf
        return found


def exact_diagonal(operand: Operand, method: str = "exact") -> Iterator[Round]:
    """Yield one round, after n products."""
    diagonal = np.empty(operand.shape[1], operand.dtype)
    for part, columns in identity_blocks(operand):
        diagonal[part] = np.diagonal(columns[part])
    yield _round(operand, method, diagonal, np.zeros(len(diagonal)), 0.0, np.inf, exact=True)


def bks_rounds(operand: Operand, vectors: VectorStream, budget: Budget) -> Iterator[Round]:
    """Yield the mean of ``conj(w) * (A w)`` over more and more signs.

    Parameters
    ----------
    operand : Operand
        The matrix.
    vectors : VectorStream
        Signs.
    budget : Budget
        Products to make.

    Yields
    ------
    Round
        One; with a tolerance, as many as it takes, the last one exact where that is cheaper.
    """
    n = operand.shape[1]
    found = Moments(n, operand.dtype)
    # Of every column by itself: a sum over a block would depend on its width.
    sizes: list[float] = []
    used = operand.n_matvec
    target = _START if budget.adaptive else budget.left(0)
    while True:
        made = found.count
        target = min(target, made + budget.left(operand.n_matvec - used))
        if target <= made:
            return
        for low in range(made, target, operand.width):
            W = vectors.columns(low, min(target, low + operand.width))
            Y = operand.product(W)
            check_products(operand, W, Y)
            sizes.extend(column_norms(Y))
            found.add(W.conj() * Y)
        size = norm(np.array(sizes)) / np.sqrt(target)
        stderr = found.stderr(_floor(operand, size), 1, vectors.kind)
        yield _round(operand, "bks", found.mean, stderr, size, target - 1.0)
        if target >= n and budget.left(operand.n_matvec - used) >= n:
            yield from exact_diagonal(operand, "bks, then exact (as cheap)")
            return
        target = 2 * target


def udiagpp_rounds(
    operand: Operand, vectors: VectorStream, budget: Budget, sketch_size: int | None
) -> Iterator[Round]:
    """Yield one round: the diagonal of ``Q Q* A`` plus BKS on ``(I - Q Q*) A``.

    Parameters
    ----------
    operand : Operand
        The matrix, with its adjoint.
    vectors : VectorStream
        Signs.
    budget : Budget
        Products to make.
    sketch_size : int or None
        Columns of Q; None: a third of the products.

    Yields
    ------
    Round
        The estimate.
    """
    n = operand.shape[1]
    k, rest = split(budget.left(0), sketch_size)
    basis = Basis(n, operand.dtype)
    low_rank: Any = 0.0
    size = 0.0
    if k:
        Y = operand.product(vectors.columns(0, k))
        size = norm(Y) / np.sqrt(k)
        Q = basis.extend(Y)
        Z = operand.adjoint_product(Q)
        check_products(operand, Q, Z)
        check_adjoint(basis.R, Z, vectors.columns(0, k))
        low_rank = _row_dots(Q, Z)
    found = Moments(n, operand.dtype)
    Q = basis.Q
    # Blocks of one width: the bits of the projection depend on it.
    for start in range(0, rest, BLOCK):
        W = vectors.other(1).columns(start, min(rest, start + BLOCK))
        Y = operand.product(W)
        size = size if k else float(np.hypot(size, norm(Y) / np.sqrt(rest)))
        Y = Y - Q @ (Q.conj().T @ Y)
        found.add(W.conj() * Y)
    stderr = found.stderr(_floor(operand, size), 1, vectors.kind)
    yield _round(operand, "udiagpp", low_rank + found.mean, stderr, size, rest - 1.0)


def xdiag_rounds(operand: Operand, vectors: VectorStream, budget: Budget) -> Iterator[Round]:
    """Yield XDiag's estimate for more and more test vectors, two products each.

    Parameters
    ----------
    operand : Operand
        The matrix, with its adjoint.
    vectors : VectorStream
        Signs.
    budget : Budget
        Products to make.

    Yields
    ------
    Round
        One; with a tolerance, as many as it takes, every product used again in the next one.
    """
    for sketch in range_sketches(operand, vectors, budget, adjoint=True):
        if sketch is None:
            yield from exact_diagonal(operand, "xdiag, then exact (as cheap)")
            return
        check_products(operand, sketch.Q, sketch.Z)
        check_adjoint(sketch.R, sketch.Z, sketch.Omega)
        value, stderr = xdiag_average(sketch.Omega, sketch.Q, sketch.R, sketch.Z)
        count, size = sketch.Omega.shape[1], sketch.size
        del sketch
        yield _round(operand, "xdiag", value, stderr, size, count - 1.0)


def xdiag_average(
    Omega: NDArray[Any], Q: NDArray[Any], R: NDArray[Any], Z: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Average the diagonals with one vector left out of the sketch each.

    Parameters
    ----------
    Omega : ndarray, shape (n, k)
        Test vectors.
    Q, R : ndarray, shapes (n, k) and (k, k)
        ``A Omega = Q R``.
    Z : ndarray, shape (n, k)
        ``A* Q``.

    Returns
    -------
    mean : ndarray, shape (n,)
        Of ``diag(P A) + conj(w_i) * ((I - P) A w_i)`` with P the orthogonal projector onto the span
        of all ``A w_j`` but ``A w_i``.
    stderr : ndarray, shape (n,)
        Its standard errors, as from `average_diagonals`.
    """
    down = downdate(R, float(np.finfo(Q.dtype).eps))
    S, U = down.S, down.U
    if U is not None:
        R = U.conj().T @ R
    weights = np.einsum("ij,ij->j", S.conj(), R).astype(Q.dtype)
    inner = S.conj().T @ S
    S = (S if U is None else U @ S).astype(Q.dtype)
    mean = np.empty(len(Q), np.result_type(Q.dtype, np.float64))
    stderr = np.empty(len(Q))
    for row in range(0, len(Q), _ROWS):
        part = slice(row, row + _ROWS)
        if U is None:
            base = _row_dots(Q[part], Z[part])
        else:
            basis = U.astype(Q.dtype)
            base = _row_dots(Q[part] @ basis, Z[part] @ basis)
        B = Z[part] @ S
        residuals = Omega[part].conj() * weights - B.conj()
        mean[part], stderr[part] = average_diagonals(Q[part] @ S, B, residuals, inner)
        mean[part] += base
    return mean, stderr


def xnysdiag_rounds(operand: Operand, vectors: VectorStream, budget: Budget) -> Iterator[Round]:
    """Yield XNysDiag's estimate for more and more test vectors, one product each.

    Parameters
    ----------
    operand : Operand
        The matrix, positive semidefinite.
    vectors : VectorStream
        Signs.
    budget : Budget
        Products to make.

    Yields
    ------
    Round
        One; with a tolerance, as many as it takes, every product used again in the next one.
    """
    for sketch in nystrom_sketches(operand, vectors, budget):
        if sketch is None:
            yield from exact_diagonal(operand, "xnysdiag, then exact (as cheap)")
            return
        value, stderr = xnysdiag_average(sketch.Omega, sketch.Y)
        count, size = sketch.Omega.shape[1], sketch.size
        del sketch
        yield _round(operand, "xnysdiag", value, stderr, size, count - 1.0)


def xnysdiag_average(
    Omega: NDArray[Any], Y: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average the diagonals with one vector left out of the approximation each.

    Parameters
    ----------
    Omega : ndarray, shape (n, s)
        Test vectors.
    Y : ndarray, shape (n, s)
        ``A Omega``; destroyed.

    Returns
    -------
    mean : ndarray, shape (n,)
        Of ``diag(N) + conj(w_i) * ((A - N) w_i)`` with N the Nyström approximation from all vectors
        but w_i.
    stderr : ndarray, shape (n,)
        Its standard errors, as from `average_diagonals`.
    """
    core = semidefinite_core(Omega, Y, "xnysdiag")
    _, products, along, _ = downdate_sums(core, Omega)
    products = (products + along).astype(Y.dtype)
    rest = core.residuals()[1]
    mean, stderr = np.empty(len(Omega)), np.empty(len(Omega))
    inner = core.C.conj().T @ core.C
    for part, Z in core.downdates():
        residuals = Omega[part].conj() * products - Z.conj()
        mean[part], stderr[part] = average_diagonals(Z, Z, residuals, inner, real=True)
        mean[part] += np.sum(np.abs(core.B[part]) ** 2, axis=1, dtype=np.float64) - core.shift
        if rest is not None:
            mean[part] += (Omega[part].conj() * (core.B[part] @ rest)).real.mean(axis=1)
    return mean, stderr


def _row_dots(X: NDArray[Any], Y: NDArray[Any]) -> NDArray[Any]:
    """Return the diagonal of ``X Y*``, in double precision."""
    double = np.result_type(X.dtype, np.float64)
    return np.asarray(np.einsum("ij,ij->i", X, Y.conj(), dtype=double))


def _floor(operand: Operand, size: float) -> float:
    return float(np.finfo(operand.dtype).eps) * size


def _round(
    operand: Operand,
    method: str,
    value: NDArray[Any],
    stderr: NDArray[np.float64],
    size: float,
    degrees_of_freedom: float,
    *,
    exact: bool = False,
) -> Round:
    value = value.real if operand.hermitian else value
    kind = operand.dtype if value.dtype.kind == operand.dtype.kind else operand.real_dtype
    return Round(
        value=value.astype(kind),
        stderr=stderr,
        degrees_of_freedom=degrees_of_freedom,
        floor=_floor(operand, size),
        exact=exact,
        method=method,
    )
