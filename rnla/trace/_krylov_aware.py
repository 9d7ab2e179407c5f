"""Krylov-aware deflation: a captured space whose part of the trace has no sampling error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.trace._block_lanczos import BlockLanczos
from rnla.trace._evaluate import SpectralFunction, evaluate
from rnla.trace._goal import QUADRATURE_SHARE, Goal
from rnla.trace._input import Operand
from rnla.trace._rules import Floats, Rule, extrapolated, hermitian_eig

# Parts of a budget: what deflation may take, and when it is asked whether it pays.
_DEFLATION_SHARE = 0.5
_TRIAL_SHARE = 0.25
# Beyond this, orthogonalising costs more than most products.
_MOST_COLUMNS = 1000


@dataclass(frozen=True)
class Deflation:
    """An orthonormal basis Q, (n, d), and the rule for ``tr Q^H f(A) Q``."""

    basis: NDArray[Any]
    rule: Rule


class _Look:
    """``f(T)`` for the block Lanczos matrix T so far.

    The first blocks of ``f(T)`` are those of ``Q^H f(A) Q``, the better the further they are from
    the last one: q blocks of the basis are captured by q steps and some more, the products that
    would give ``f(A) Q`` being the same as those that extend Q [1]_. The start block of b random
    columns gives Hutchinson's estimates of what is needed of the rest.
    """

    def __init__(
        self,
        lanczos: BlockLanczos,
        R: NDArray[Any],
        values: Callable[[Floats], Floats],
        n: int,
    ) -> None:
        b, width = R.shape
        self.columns = lanczos.columns
        self.edges = np.array(lanczos.offsets[: lanczos.steps + 1])
        self.nodes, self.S = hermitian_eig(lanczos.matrix())
        self.F = (self.S * values(self.nodes)) @ self.S.conj().T
        self.hutchinson = float(np.trace(R.conj().T @ self.F[:b, :b] @ R).real) / width
        # Samples of one length have no variance from a multiple of the identity.
        deviation = self.F - self.hutchinson / n * np.eye(self.columns)
        self.square = float(np.linalg.norm(deviation[:, :b] @ R) ** 2) / width
        squares = np.abs(deviation) ** 2
        corner = np.diagonal(squares.cumsum(axis=0).cumsum(axis=1))
        # ||F||^2 - ||(I - P) F (I - P)||^2 for the projector P to the first columns: the variance
        # that deflation takes away.
        gain = 2 * squares.sum(axis=0).cumsum() - corner
        self.gain = np.append(0.0, gain)[self.edges]

    def weights(self, d: int) -> Floats:
        """Return the weights of the nodes for the first d columns."""
        return np.asarray((np.abs(self.S[:d]) ** 2).sum(axis=0))

    def change(self, before: _Look) -> Floats:
        """Return, for each number of blocks, how much its part of the trace has changed."""
        k = before.columns
        diagonal = np.abs(np.diagonal(self.F)[:k] - np.diagonal(before.F)).cumsum()
        changes = np.full(len(self.edges), np.inf)
        inside = self.edges <= k
        changes[inside] = np.append(0.0, diagonal)[self.edges[inside]]
        return changes


def deflate(
    operand: Operand, X: NDArray[Any], f: SpectralFunction, goal: Goal, *, name: str = "f"
) -> Deflation | None:
    """Capture the part of ``f(A)`` that random vectors would see with the largest variance.

    With a tolerance, the space grows until the products for another block would save fewer for
    the samples [1]_; without one it takes half of them at the most, and a quarter if by then it
    has captured too little.

    Parameters
    ----------
    operand : Operand
        Hermitian A, (n, n).
    X : ndarray, shape (n, b)
        Random start.
    f : callable
        The function.
    goal : Goal
        The tolerance or the budget.
    name : str
        Name of the function, for messages.

    Returns
    -------
    Deflation or None
        None if nothing could be resolved.

    References
    ----------
    .. [1] T. Chen, E. Hallman, "Krylov-aware stochastic trace estimation", SIAM J. Matrix Anal.
       Appl. 44 (2023), 1218-1244.
    """

    def values(nodes: Floats) -> Floats:
        return evaluate(f, nodes, float(np.finfo(operand.dtype).eps), name=name)

    lanczos = BlockLanczos(operand, X)
    R = lanczos.basis(lanczos.offsets[1]).conj().T @ X
    most = min(int(_DEFLATION_SHARE * goal.limit), _MOST_COLUMNS)
    looks: list[_Look] = []
    q = 0
    for steps in _schedule(goal, X.shape[1], most):
        while lanczos.steps < steps and not lanczos.exhausted:
            if operand.n_matvec + lanczos.offsets[-1] - lanczos.columns > most:
                break
            lanczos.step()
        if looks and lanczos.columns == looks[0].columns:
            break
        looks = [_Look(lanczos, R, values, len(X)), *looks[:2]]
        if lanczos.exhausted:
            q = lanczos.steps
            looks = looks[:1]
            break
        if len(looks) == 3:
            q, enough = _judge(looks, goal)
            if enough:
                break
    if q == 0:
        return None
    d = int(looks[0].edges[q])
    (nodes, weights), *others = [(look.nodes, look.weights(d)) for look in looks]
    rule = Rule(nodes=nodes, weights=weights, others=tuple(others), steps=looks[0].columns)
    return Deflation(lanczos.basis(d), rule)


def _schedule(goal: Goal, width: int, most: int) -> Iterator[int]:
    """Yield the numbers of steps after which to look."""
    if goal.has_tolerance:
        steps = 3
        while steps * width <= most:
            yield steps
            steps += max(2, steps // 6)
        return
    for share in (_TRIAL_SHARE, _DEFLATION_SHARE):
        steps = int(share * goal.limit) // width
        if steps >= 3:
            apart = max(1, steps // 5)
            yield from (steps - 2 * apart, steps - apart, steps)


def _judge(looks: list[_Look], goal: Goal) -> tuple[int, bool]:
    """Return how many blocks to deflate, and whether to stop."""
    now, before, first = looks
    changes = before.change(first)
    longer = np.full(len(now.edges), np.inf)
    longer[: len(changes)] = changes
    change = extrapolated(now.change(before), longer)
    if not goal.has_tolerance:
        # Bias against the standard error that what was left out would cause at least.
        left = np.sqrt(np.maximum(now.gain[-1] - now.gain, 0.0))
        q = int(np.argmin(change + left))
        captured = now.gain[q] / max(now.square, now.gain[q], np.finfo(float).tiny)
        return q, bool(captured * goal.limit < now.columns)
    known = float(np.diagonal(now.F).real.sum())
    # A few random vectors are all there is to say how large the trace is, until the captured
    # part dominates it.
    dominates = 2 * abs(known) > abs(now.hutchinson)
    tolerance = goal.tolerance(known if dominates else now.hutchinson)
    q = int(np.flatnonzero(change <= QUADRATURE_SHARE * tolerance)[-1])
    if q == 0 or tolerance == 0:
        return q, False
    # Variance 2 ||G||_F^2 of a sample of G, for real vectors; each takes as many steps as a block
    # takes to be captured.
    per_variance = 2 * (goal.quantile / tolerance) ** 2
    steps = len(now.edges) - 1 - q
    cost = now.edges[: q + 1] - steps * per_variance * now.gain[: q + 1]
    return q, bool(np.argmin(cost) < q - 1)
