"""Krylov-aware deflation: a captured space whose part of the trace has no sampling error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, takewhile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnla.trace._block_lanczos import BlockLanczos
from rnla.trace._evaluate import SpectralFunction, evaluate
from rnla.trace._goal import QUADRATURE_SHARE, Goal
from rnla.trace._input import Operand
from rnla.trace._rules import (
    Floats,
    Rule,
    checkpoints,
    extrapolated,
    hermitian_eig,
)

# Parts of a budget: what deflation may take, and when it is asked whether it pays. What is captured
# grows like the columns at first, or up to twice as fast, and slower later.
_DEFLATION_SHARE = 0.5
_TRIALS = {0.0625: 2.0, 0.25: 1.0}
# Products of samples that a column of the space costs: it is orthogonalised against all others.
_COLUMN = 2
# Beyond this, orthogonalising costs more than most products.
_MOST_COLUMNS = 1000
# The space is looked at whenever its steps have grown by a sixth.
_FRACTION = 6
# Distances of the deflated blocks from the last one that are tried; multiples of four, as halves
# and quarters of them are looked at.
_LAGS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Deflation:
    """An orthonormal basis Q, (n, d), and the rule for ``tr Q^H f(A) Q``."""

    basis: NDArray[Any]
    rule: Rule


class _Look:
    """``f(T)`` for the leading blocks of the block Lanczos matrix.

    The first blocks of ``f(T)`` are those of ``Q^H f(A) Q``, the better the further they are from
    the last one: q blocks of the basis are captured by q steps and some more, the products that
    would give ``f(A) Q`` being the same as those that extend Q [1]_.
    """

    def __init__(self, lanczos: BlockLanczos, steps: int, values: Callable[[Floats], Floats]):
        self.columns = lanczos.offsets[steps]
        self.nodes, self.S = hermitian_eig(lanczos.matrix(steps))
        self.values = values(self.nodes)
        self.diagonal = (np.abs(self.S) ** 2) @ self.values

    def sample(self, R: NDArray[Any]) -> Floats:
        """Return what the start block ``Q R`` gives for the trace: Hutchinson's estimate."""
        C = self.S[: len(R)].conj().T @ R
        return np.asarray((np.abs(C) ** 2).sum(axis=1) @ self.values / R.shape[1])

    def weights(self, d: int) -> Floats:
        """Return the weights of the nodes for the first d columns."""
        return np.asarray((np.abs(self.S[:d]) ** 2).sum(axis=0))

    def change(self, before: _Look, d: int) -> Floats:
        """Return how much the part of the first d columns has changed."""
        return np.asarray(np.abs(self.diagonal[:d] - before.diagonal[:d]).sum())


class _Candidate(NamedTuple):
    """A number of blocks to deflate, its error, and how that was judged."""

    blocks: int
    error: float
    looks: tuple[_Look, ...]
    doublings: float = 0.0


class _Space:
    """The space as it is after some steps: what it captures, and how well.

    The start block of b random columns gives Hutchinson's estimates of what is needed of the rest.
    """

    def __init__(
        self, lanczos: BlockLanczos, R: NDArray[Any], values: Callable[[Floats], Floats], n: int
    ) -> None:
        b, width = R.shape
        self.steps, self.most = lanczos.steps, n / b
        self.edges = np.array(lanczos.offsets[: self.steps + 1])
        self.look = cache(lambda steps: _Look(lanczos, steps, values))
        now = self.look(self.steps)
        F = (now.S * now.values) @ now.S.conj().T
        self.hutchinson = float(now.sample(R))
        self.known = float(now.diagonal.sum())
        # Samples of one length have no variance from a multiple of the identity.
        deviation = F - self.hutchinson / n * np.eye(now.columns)
        # Squares are of multiples of the largest entry, for those of entries may overflow.
        self.unit = float(np.abs(deviation).max()) or 1.0
        deviation /= self.unit
        self.square = float(np.linalg.norm(deviation[:, :b] @ R) ** 2) / width
        squares = np.abs(deviation) ** 2
        corner = np.diagonal(squares.cumsum(axis=0).cumsum(axis=1))
        # ||F||^2 - ||(I - P) F (I - P)||^2 for the projector P to the first columns: the variance
        # that deflation takes away.
        gain = 2 * squares.sum(axis=0).cumsum() - corner
        self.gain = np.append(0.0, gain)[self.edges]

    def allowed(self, goal: Goal) -> float:
        """Return the quadrature error that a tolerance leaves room for."""
        # A few random vectors are all there is to say how large the trace is, until the captured
        # part dominates it.
        dominates = 2 * abs(self.known) > abs(self.hutchinson)
        return QUADRATURE_SHARE * goal.tolerance(self.known if dominates else self.hutchinson)

    def sample_error(self, R: NDArray[Any]) -> float:
        """Return the quadrature error of random vectors after as many steps."""
        steps = [max(1, self.steps // part) for part in (1, 2, 4)]
        samples = [self.look(each).sample(R) for each in steps]
        changes = (np.abs(a - b) for a, b in pairwise(samples))
        return float(extrapolated(*changes, doublings=self.doublings(self.steps)))

    def doublings(self, steps: int) -> float:
        """Return how often so many steps can be doubled until the space is that of all vectors."""
        return max(0.0, float(np.log2(self.most / steps)))

    def candidates(self) -> Iterator[_Candidate]:
        """Yield numbers of blocks to deflate, the largest first."""
        for lag in _LAGS:
            blocks = self.steps - lag
            if blocks < 1:
                break
            d = int(self.edges[blocks])
            looks = tuple(self.look(blocks + each) for each in (lag, lag // 2, lag // 4))
            changes = [later.change(earlier, d) for later, earlier in pairwise(looks)]
            doublings = self.doublings(lag)
            error = float(extrapolated(*changes, doublings=doublings))
            yield _Candidate(blocks, error, looks, doublings)


def deflate(
    operand: Operand, X: NDArray[Any], f: SpectralFunction, goal: Goal, *, name: str = "f"
) -> Deflation | None:
    """Capture the part of ``f(A)`` that random vectors would see with the largest variance.

    With a tolerance, the space grows until the products for another block would save fewer for
    the samples [1]_; without one it takes half of them at the most, and a sixteenth or a quarter if
    by then it has captured less of the variance than of the products.

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
    most = min(int(_DEFLATION_SHARE * goal.limit), _MOST_COLUMNS) // X.shape[1]
    chosen: _Candidate | None = None
    depth: int | None = None
    for steps, growth in _schedule(goal, most, X.shape[1]).items():
        while lanczos.steps < steps and not lanczos.exhausted:
            lanczos.step()
        space = _Space(lanczos, R, values, len(X))
        if lanczos.exhausted:
            chosen = _Candidate(space.steps, 0.0, (space.look(space.steps),))
            break
        if not goal.has_tolerance:
            chosen, enough = _within_budget(space, goal, growth)
        else:
            if depth is None and space.sample_error(R) <= space.allowed(goal):
                depth = steps
            # As long as random vectors have not settled, twice the steps is a guess.
            chosen, enough = _within_tolerance(space, goal, depth or 2 * steps)
        if enough:
            break
    if chosen is None:
        return None
    d = lanczos.offsets[chosen.blocks]
    (nodes, weights), *others = [(look.nodes, look.weights(d)) for look in chosen.looks]
    steps = chosen.looks[0].columns
    return Deflation(
        lanczos.basis(d),
        Rule(
            nodes=nodes,
            weights=weights,
            others=tuple(others),
            steps=steps,
            doublings=chosen.doublings,
        ),
    )


def _schedule(goal: Goal, most: int, width: int) -> dict[int, float]:
    """Return the numbers of steps after which to look, and what more steps may be worth."""
    if goal.has_tolerance:
        return dict.fromkeys(takewhile(lambda steps: steps <= most, checkpoints(_FRACTION)), 1.0)
    trials = {int(share * goal.limit) // width: growth for share, growth in _TRIALS.items()}
    return {k: growth for k, growth in (trials | {most: 1.0}).items() if _LAGS[0] < k <= most}


def _within_budget(space: _Space, goal: Goal, growth: float) -> tuple[_Candidate | None, bool]:
    """Return what to deflate, and whether more would not pay."""
    best: _Candidate | None = None
    smallest = np.inf
    for each in space.candidates():
        # The standard error that what was left out would cause at least.
        left = space.unit * float(np.sqrt(max(space.gain[-1] - space.gain[each.blocks], 0.0)))
        if each.error + left < smallest:
            best, smallest = each, each.error + left
        if left >= smallest:
            break
    captured = space.gain[-1] / max(space.square, space.gain[-1], _TINY)
    return best, bool(growth * captured * goal.limit < space.edges[-1])


def _within_tolerance(space: _Space, goal: Goal, depth: int) -> tuple[_Candidate | None, bool]:
    """Return what to deflate, and whether to stop, if a sample takes `depth` steps."""
    allowed = space.allowed(goal)
    resolved = next((each for each in space.candidates() if each.error <= allowed), None)
    if resolved is None or allowed == 0:
        return resolved, False
    # Variance 2 ||G||_F^2 of a sample of G, for real vectors.
    per_variance = 2 * (goal.quantile * QUADRATURE_SHARE * (space.unit / allowed)) ** 2
    q = resolved.blocks
    cost = _COLUMN * space.edges[: q + 1] - depth * per_variance * space.gain[: q + 1]
    return resolved, bool(np.argmin(cost) < q - 1)
