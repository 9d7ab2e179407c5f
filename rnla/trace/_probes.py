"""Quadrature rules of random vectors: Lanczos runs that stop when their rule has settled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import single_threaded_blas
from rnla.trace._evaluate import SpectralFunction, evaluate
from rnla.trace._input import BLOCK, Operand
from rnla.trace._lanczos import LanczosRuns
from rnla.trace._projection import project_out
from rnla.trace._quadrature import rule_sums
from rnla.trace._rules import (
    Floats,
    NodesAndWeights,
    Rule,
    checkpoints,
    gauss_rule,
    radau_rule,
)
from rnla.trace._vectors import VectorStream, column_norms

Allowed = Callable[[Floats, Floats, int], Floats]
_ROUNDOFFS = 100
_ROUNDING = 4
# Rules are looked at whenever the steps have grown by a quarter.
_FRACTION = 4
# From here on a half and a quarter of the steps are two comparisons.
_FEWEST = 5


@dataclass(frozen=True, kw_only=True)
class Probes:
    """Random vectors, what is done to them before Lanczos starts, and the function to settle.

    Attributes
    ----------
    operand : Operand
        Hermitian A, (n, n).
    stream : VectorStream
        The test vectors; rotation invariant with a basis.
    f : callable
        Function whose rules are to settle.
    name : str
        Its name, for messages.
    degree : int or None
        Lanczos steps of every run; None to stop when the rule has settled.
    spectrum : (float, float) or None
        An interval that holds all eigenvalues: rules are judged by Gauss-Radau brackets.
    basis : ndarray, shape (n, d), or None
        Orthonormal Q: vectors are projected to its complement and brought to the length
        ``sqrt(n - d)``, which is unbiased for rotation-invariant vectors and takes away the
        variance of a multiple of the identity.
    scale : float
        Size of A where the basis has taken it away.
    vectors : ndarray, shape (n, l), or None
        Orthonormal U of a low-rank approximation whose function is subtracted.
    levels : ndarray, shape (l,), or None
        Its eigenvalues; all others are zero.
    """

    operand: Operand
    stream: VectorStream
    f: SpectralFunction
    name: str = "f"
    degree: int | None = None
    spectrum: tuple[float, float] | None = None
    basis: NDArray[Any] | None = field(default=None, repr=False)
    scale: float = 0.0
    vectors: NDArray[Any] | None = field(default=None, repr=False)
    levels: Floats | None = field(default=None, repr=False)

    @property
    def eps(self) -> float:
        """Roundoff of the products."""
        return float(np.finfo(self.operand.dtype).eps)

    def values(self, nodes: Floats) -> Floats:
        """Return the function at estimated eigenvalues."""
        return evaluate(self.f, nodes, self.eps, name=self.name, scale=self.scale)

    def rules(self, first: int, count: int, *, limit: int, allowed: Allowed) -> list[Rule]:
        """Return the rules of some test vectors.

        Parameters
        ----------
        first, count : int
            Index of the first vector and how many.
        limit : int
            Lanczos steps that a run may take, at least 1.
        allowed : callable
            The error at which a run has settled after some steps.

        Returns
        -------
        list of Rule
            One per vector.
        """
        rules = []
        # Blocks of constant width, for the bits of the projections depend on it.
        for start in range(first, first + count, BLOCK):
            X = self.stream.columns(start, min(start + BLOCK, first + count))
            X, masses = self._project(X)
            found: list[Rule] = []
            for low in range(0, X.shape[1], self.operand.width):
                part = slice(low, low + self.operand.width)
                found += self._settle(X[:, part], masses[part], limit, allowed)
            rules += self._subtract(found, X)
        return rules

    def _project(self, X: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
        Q = self.basis
        if Q is None:
            return X, column_norms(X) ** 2
        project_out(Q, X)
        return X, np.full(X.shape[1], float(Q.shape[0] - Q.shape[1]))

    def _subtract(self, rules: list[Rule], X: NDArray[Any]) -> list[Rule]:
        if self.vectors is None or self.levels is None:
            return rules
        with single_threaded_blas():
            C = np.abs(self.vectors.conj().T @ X).astype(np.float64) ** 2
        # The approximation has the eigenvalue zero on the rest of the space.
        rest = np.maximum(column_norms(X) ** 2 - C.sum(axis=0), 0.0)
        nodes = np.append(self.levels, 0.0)
        return [rule.minus(nodes, np.append(C[:, i], rest[i])) for i, rule in enumerate(rules)]

    def _settle(self, X: NDArray[Any], masses: Floats, limit: int, allowed: Allowed) -> list[Rule]:
        runs = LanczosRuns(self.operand, X, self.scale, limit)
        rules: dict[int, Rule] = {}
        schedule = self._schedule(limit)
        dimension = X.shape[0] if self.basis is None else X.shape[0] - self.basis.shape[1]
        for steps in schedule:
            runs.advance(steps)
            for i in np.flatnonzero(runs.exhausted).tolist():
                if i not in rules:
                    rules[i] = _exact(runs, i, masses[i])
            active = runs.active
            if len(active) == 0:
                break
            alpha, beta = runs.alpha[active], runs.beta[active]
            nodes, weights = gauss_rule(alpha, beta[:, :-1])
            others = self._brackets(nodes, alpha, beta) or _halves(alpha, beta, steps)
            judged = {
                i: Rule(
                    nodes=nodes[row],
                    weights=masses[i] * weights[row],
                    others=tuple((each[row], masses[i] * mass[row]) for each, mass in others),
                    steps=steps,
                    brackets=self.spectrum is not None,
                    doublings=np.log2(dimension / steps),
                )
                for row, i in enumerate(active.tolist())
            }
            if steps < schedule[-1]:
                judged = self._settled(judged, steps, allowed)
            rules |= judged
            runs.stop(np.array(list(judged), int))
        return [rules[i] for i in range(len(masses))]

    def _brackets(self, nodes: Floats, alpha: Floats, beta: Floats) -> list[NodesAndWeights]:
        if self.spectrum is None:
            return []
        low, high = self.spectrum
        slack = _ROUNDOFFS * self.eps * float(np.abs(nodes).max())
        if np.min(nodes) < low - slack or np.max(nodes) > high + slack:
            raise ValueError(
                f"`spectrum` must hold all eigenvalues of `A`, but ({low:.6g}, {high:.6g}) leaves "
                f"out some: estimates lie between {np.min(nodes):.6g} and {np.max(nodes):.6g}"
            )
        return [radau_rule(alpha, beta, end) for end in (low, high)]

    def _settled(self, rules: dict[int, Rule], steps: int, allowed: Allowed) -> dict[int, Rule]:
        if not rules:
            return {}
        sums = rule_sums(list(rules.values()), self.values)
        totals, errors, sizes, spreads = np.array(sums).T
        # Sums cannot be more accurate than their terms.
        small = errors <= np.maximum(allowed(totals, spreads, steps), _ROUNDING * self.eps * sizes)
        return {i: rule for (i, rule), ends in zip(rules.items(), small, strict=True) if ends}

    def _schedule(self, limit: int) -> list[int]:
        """Return the numbers of steps at which rules are looked at."""
        if self.degree is not None:
            return [min(limit, self.degree)]
        early = takewhile(lambda steps: steps < limit, checkpoints(_FRACTION))
        return [steps for steps in early if steps >= _FEWEST or self.spectrum is not None] + [limit]


def _halves(alpha: Floats, beta: Floats, steps: int) -> list[NodesAndWeights]:
    """Return the Gauss rules of a half and a quarter of the steps, as far as there are some."""
    # Rounded so that the first comparison is over more than a doubling, and the second over less.
    half = steps // 2
    parts = sorted({half, (half + 1) // 2} - {0}, reverse=True)
    return [gauss_rule(alpha[:, :part], beta[:, : part - 1]) for part in parts]


def _exact(runs: LanczosRuns, i: int, mass: float) -> Rule:
    k = int(runs.length[i])
    nodes, weights = gauss_rule(runs.alpha[i : i + 1, :k], runs.beta[i : i + 1, : k - 1])
    return Rule(nodes=nodes[0], weights=mass * weights[0], steps=k)
