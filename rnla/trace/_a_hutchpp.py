"""A-Hutch++: Hutch++ that chooses its split, for a tolerance and a failure probability.

D. Persson, A. Cortinovis, D. Kressner, "Improved variants of the Hutch++ algorithm for trace
estimation", SIAM J. Matrix Anal. Appl. 43 (2022), 1162-1185.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from rnla.trace._assumptions import check_form
from rnla.trace._basis import Basis, Columns, numerical_rank
from rnla.trace._estimate import mean_and_stderr
from rnla.trace._exact import exact_rounds
from rnla.trace._hutchpp import residual_forms
from rnla.trace._input import Operand
from rnla.trace._rounds import Budget, Round, norm, nothing_left, rounding_floor
from rnla.trace._vectors import VectorStream, column_dots, column_norms

# A block adds at most this share of the columns there are: products made past the best split.
_SHARE = 16
_WIDEST = 32
_BATCH = 32
# Samples that confirm a rank.
_CONFIRMING = 4
# Samples before one believes in an average.
_PATIENCE = 8
_SLACK = 16


def a_hutchpp_rounds(operand: Operand, vectors: VectorStream, budget: Budget) -> Iterator[Round]:
    """Yield rounds until Hutchinson's estimator of the residual has enough samples.

    Parameters
    ----------
    operand : Operand
        The matrix.
    vectors : VectorStream
        Gaussian test vectors.
    budget : Budget
        With a tolerance.

    Yields
    ------
    Round
        With its own stopping rule as `gap`: samples needed over samples made.
    """
    n = operand.shape[1]
    used = operand.n_matvec
    sketch = Sketch(operand, vectors)
    delta = 1.0 - budget.confidence
    constant = 4.0 * np.log(2.0 / delta)
    eps = float(np.finfo(operand.dtype).eps)
    rank = None
    while not sketch.past_the_minimum(constant, budget.allowed(sketch.trace, operand.unit)):
        k = sketch.Q.shape[1]
        width = min(max(1, k // _SHARE), _WIDEST, budget.left(operand.n_matvec - used) // 2 - 1)
        if 2 * (k + 1) >= n or width < 1:
            break
        sketch.grow(width)
        found = numerical_rank(sketch.basis.R, eps)
        if found < sketch.Q.shape[1]:
            rank = found
            break
    check_form(operand, sketch.H, sketch.floor)
    yield from _residual_rounds(operand, vectors.other(1), budget, sketch, used, rank)


class Sketch:
    """The growing basis Q of A times test vectors, and what it leaves of A.

    Attributes
    ----------
    inside : float or complex
        ``tr(Q* A Q)``.
    trace : float or complex
        A running estimate of the trace: that of the last block, before it was part of the sketch.
    differences, samples : list of float
        For 0, 1, 2, ... columns ``||(I - Q Q*) A (I - Q Q*)||_F^2``: up to a constant, if A is
        Hermitian; and estimated from one test vector each.
    hermitian : bool
        Whether ``Q* A Q`` is Hermitian to rounding, so that A is, too.
    """

    def __init__(self, operand: Operand, vectors: VectorStream) -> None:
        self.operand, self.vectors = operand, vectors
        self.basis = Basis(operand.shape[1], operand.dtype)
        self._products = Columns(operand.shape[1], operand.dtype)
        self.H: NDArray[Any] = np.empty((0, 0))
        self.inside: Any = 0.0
        self.trace: Any = 0.0
        self.size = 0.0
        self.differences = [0.0]
        self.samples: list[float] = []
        self.hermitian = True

    @property
    def Q(self) -> NDArray[Any]:
        """The orthonormal basis."""
        return self.basis.Q

    @property
    def Z(self) -> NDArray[Any]:
        """``A Q``."""
        return self._products.array

    def grow(self, width: int) -> None:
        """Add this many columns, two products each."""
        k = self.Q.shape[1]
        W = self.vectors.columns(k, k + width)
        Y = self.operand.product(W)
        self.size = float(np.hypot(self.size, norm(Y)))
        coordinates = self.Q.conj().T @ W
        left = Y - self.Z @ coordinates
        left -= self.Q @ (self.Q.conj().T @ left)
        forms = column_dots(W, left)
        forms = forms.real if self.operand.hermitian else forms
        self.trace = (self.inside + forms.mean()).item()
        Q = self.basis.extend(Y)
        Z = self.operand.product(Q)
        self._record(Q, Z, column_norms(left) ** 2)
        self._products.append(Z)

    def _record(self, Q: NDArray[Any], Z: NDArray[Any], left: NDArray[np.float64]) -> None:
        k, width = self.H.shape[0], Q.shape[1]
        H = np.zeros((k + width,) * 2, np.result_type(Q.dtype, np.float64))
        H[:k, :k] = self.H
        H[:, k:] = self.Q.conj().T @ Z
        H[k:, :k] = Q.conj().T @ self.Z
        self.H = H
        skew = norm(H[:, k:] - H[k:].conj().T)
        if skew > _SLACK * float(np.finfo(Q.dtype).eps) * np.sqrt(len(Q)) * norm(H):
            # Norms from the symmetry would be wrong; solvers that stop early break it, too.
            check_form(self.operand, H, 0.0)
            self.hermitian = False
        inside = np.trace(H)
        self.inside = (inside.real if self.operand.hermitian else inside).item()
        self.samples.extend(left)
        lengths = column_norms(Z) ** 2
        for j in range(k, k + width):
            corner = np.sum(np.abs(H[:j, j]) ** 2) + np.sum(np.abs(H[j, :j]) ** 2)
            step = float(corner + np.abs(H[j, j]) ** 2 - 2 * lengths[j - k])
            self.differences.append(self.differences[-1] + step)

    def past_the_minimum(self, constant: float, allowed: float) -> bool:
        """Return whether more columns would save fewer samples than they cost.

        The products are ``2 k + constant ||residual||_F^2 / allowed^2``; they must have grown with
        the last two columns, and where the norm is estimated, with the last few.
        """
        k = self.Q.shape[1]
        if k < 3 or allowed == 0:
            return False
        if self.hermitian:
            sizes, patience = np.array(self.differences), 2
        else:
            patience = max(_PATIENCE, k // 8)
            if k < 2 * patience:
                return False
            sizes = np.convolve(self.samples, np.full(patience, 1 / patience), "valid")
        cost = 2.0 * np.arange(len(sizes)) + _samples(constant, sizes, allowed)
        return int(np.argmin(cost)) < len(sizes) - patience

    @property
    def floor(self) -> float:
        """Size of rounding errors."""
        return rounding_floor(self.operand, self.size / np.sqrt(max(self.Q.shape[1], 1)))


def _residual_rounds(
    operand: Operand,
    vectors: VectorStream,
    budget: Budget,
    sketch: Sketch,
    used: int,
    rank: int | None,
) -> Iterator[Round]:
    n = operand.shape[1]
    delta = 1.0 - budget.confidence
    constant = 4.0 * np.log(2.0 / delta)
    forms = np.empty(0)
    squares = np.empty(0)
    target = 1 if rank is None else _CONFIRMING
    while True:
        made = len(forms)
        target = min(target, made + budget.left(operand.n_matvec - used))
        if target <= made:
            return
        new, sizes = residual_forms(operand, sketch.Q, vectors, made, target, True, sketch.floor)
        forms, squares = np.append(forms, new), np.append(squares, sizes**2)
        value = (sketch.inside + forms.mean()).item()
        if rank is not None and nothing_left(forms, sketch.floor):
            yield Round(
                value=value,
                stderr=mean_and_stderr(forms)[1],
                floor=sketch.floor,
                exact=True,
                method=f"a_hutchpp, exact (rank {rank})",
            )
            return
        allowed = budget.allowed(value, operand.unit)
        made = len(forms)
        # The norm is at most this, but for the failure probability.
        bound = squares.sum() / chdtri(made, budget.confidence)
        needed = float(_samples(constant, bound, allowed))
        spread = 1.0 if operand.dtype.kind == "c" else 2.0
        yield Round(
            value=value,
            stderr=float(np.sqrt(spread * squares.mean() / made)),
            degrees_of_freedom=made,
            floor=sketch.floor,
            samples=sketch.inside + forms,
            method=f"a_hutchpp(sketch_size={sketch.Q.shape[1]})",
            gap=needed / made,
        )
        likely = float(_samples(constant, squares.mean(), allowed))
        if made >= _PATIENCE and likely - made >= n <= budget.left(operand.n_matvec - used):
            yield from exact_rounds(operand, "a_hutchpp, then exact (as cheap)")
            return
        step = max(1, min(_BATCH, made // _SHARE))
        target = int(min(max(made + 1, np.ceil(needed)), made + step))


def _samples(constant: float, square: Any, allowed: float) -> Any:
    """Return ``constant * square / allowed^2`` for tolerances of every size."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        # A residual of zero needs no samples, whatever the tolerance.
        needed = constant * (square / np.float64(allowed)) / np.float64(allowed)
    return np.where(np.asarray(square) == 0, 0.0, needed)
