"""A spectral quadrature: the trace of any function of A from products made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnla._core.status import Status
from rnla.trace._estimate import Estimate, agreement_counts
from rnla.trace._evaluate import SpectralFunction, check_function, evaluate
from rnla.trace._rules import Floats, Rule

# Samples that are apart by so many roundoffs are equal.
_AGREE = 16
# Errors of a sum of this many roundoffs are not seen in the spread of samples.
_ROUNDOFFS = 4


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A trace with its two errors, as numbers or as arrays of many functions.

    Attributes
    ----------
    value, stderr, bias : ndarray, shape () or (m,)
        The estimate, its sampling error and its quadrature error.
    samples : ndarray, shape (p,) or (p, m)
        What `value` averages.
    degrees_of_freedom : float
        Of the spread of the samples.
    """

    value: Floats
    stderr: Floats
    bias: Floats
    samples: Floats
    degrees_of_freedom: float


@dataclass(frozen=True, kw_only=True)
class SpectralQuadrature:
    r"""Nodes and weights with ``tr f(A) = sum_i w_i f(x_i)``, up to a known error, for any f.

    It comes with the estimate of one function, as ``estimate.quadrature``, and gives those of
    others without any further product with A.

    Attributes
    ----------
    n : int
        Order of A, which the weights sum to, on average at least.
    method : str
        How it was made.
    n_matvec : int
        Products with A that it took.
    deflated : Rule or None
        The part of the trace in a space that was captured; no sampling error.
    probes : tuple of Rule
        Independent rules of one expectation, from one random vector each, for the rest.
    eps : float
        Roundoff of the precision that A was multiplied in.
    confidence : float
        Default level of the intervals.
    kind : str
        Of the random vectors: signs may agree by chance.
    """

    n: int
    method: str
    n_matvec: int
    deflated: Rule | None = field(repr=False)
    probes: tuple[Rule, ...] = field(repr=False)
    eps: float = field(repr=False)
    confidence: float = 0.95
    kind: str = field(default="sphere", repr=False)

    @property
    def nodes(self) -> Floats:
        """The nodes of all rules together."""
        return np.concatenate([np.zeros(0), *(rule.nodes for rule in self._rules())])

    @property
    def weights(self) -> Floats:
        """The weights that belong to `nodes`."""
        fixed = np.zeros(0) if self.deflated is None else self.deflated.weights
        return np.concatenate([fixed, *(rule.weights / len(self.probes) for rule in self.probes)])

    def trace(self, f: SpectralFunction) -> Estimate:
        """Return the estimate of ``tr f(A)``, at no product with A.

        Parameters
        ----------
        f : callable
            Maps an array of eigenvalues to an array of the same shape, real.

        Returns
        -------
        Estimate
            As from `rnla.trace_function`.

        Raises
        ------
        TypeError
            If `f` is not callable or does not return real numbers.
        ValueError
            If `f` is not finite at an estimated eigenvalue.
        """
        return self.estimate(check_function(f))

    def estimate(
        self,
        f: SpectralFunction,
        *,
        status: Status | None = None,
        name: str = "f",
        shift: float = 0.0,
        history: NDArray[np.float64] | None = None,
        advice: str = "",
    ) -> Estimate:
        """Return ``shift + tr f(A)`` with a status that a solver decided on.

        Parameters
        ----------
        f : callable
            As above.
        status : Status, optional
            By default that of a run without a tolerance.
        name : str
            Of the function, for messages.
        shift : float
            Added to the value.
        history : ndarray, optional
            Products and errors so far; by default the last row alone.
        advice : str
            For the end of the message.

        Returns
        -------
        Estimate
            With the quadrature error as `bias`.
        """
        parts = self.parts(lambda nodes: evaluate(f, nodes, self.eps, name=name))
        if status is None:
            status = Status.EXACT if self.is_exact else Status.COMPLETED
        stderr = float(np.hypot(parts.stderr, self._rounding(f)))
        row = np.array([[self.n_matvec, stderr]], float)
        return Estimate(
            value=float(shift + parts.value),
            stderr=stderr,
            bias=float(parts.bias),
            n_matvec=self.n_matvec,
            method=self.method,
            status=status,
            message=f"{self.method}: {status.value}{advice}",
            confidence=self.confidence,
            degrees_of_freedom=parts.degrees_of_freedom,
            samples=shift + parts.samples if len(parts.samples) else None,
            history=row if history is None else history,
        )

    def _rounding(self, f: SpectralFunction) -> float:
        """Return what rounding of the eigenvalues does to the sum."""
        nodes = self.nodes
        step = _ROUNDOFFS * self.eps * float(np.abs(nodes).max(initial=0.0))
        # Towards the middle, where f is defined.
        middle = np.clip(np.mean(nodes), np.min(nodes), np.max(nodes)) if len(nodes) else 0.0
        moved = nodes + step * np.sign(middle - nodes)
        with np.errstate(all="ignore"):
            # Booleans and unsigned integers have no difference.
            before, after = (np.asarray(f(each), np.float64) for each in (nodes.copy(), moved))
            change = np.abs(after - before)
        return float(np.abs(self.weights) @ np.where(np.isfinite(change), change, 0.0))

    @property
    def is_exact(self) -> bool:
        """Whether the nodes are all eigenvalues."""
        return not self.probes and self.deflated is not None and not self.deflated.others

    def parts(self, values_at: Callable[[Floats], Floats]) -> Parts:
        """Return the trace of a function, or of many: ``values_at(nodes)`` is (k,) or (k, m).

        Parameters
        ----------
        values_at : callable
            The values at an array of nodes.

        Returns
        -------
        Parts
            Value, errors and samples.
        """
        sums = rule_sums(self._rules(), values_at)
        first = 0 if self.deflated is None else 1
        zero = np.zeros(sums[0].total.shape if sums else ())
        value, error, size = sums[0][:3] if first else (zero, zero, zero)
        m = len(self.probes)
        samples = np.array([value + each.total for each in sums[first:]])
        spread = zero
        if m:
            value = samples.mean(axis=0)
            error = error + np.mean([each.error for each in sums[first:]], axis=0)
            error = error + self._unseen(values_at)
            size = size + np.mean([each.size for each in sums[first:]], axis=0)
        if m > 1:
            # Scaled, for squares may overflow.
            unit = np.abs(samples - value).max(axis=0)
            scaled = (samples - value) / np.where(unit > 0, unit, 1.0)
            spread = unit * np.sqrt((scaled**2).sum(axis=0) / (m * (m - 1.0)))
            # An eigenvector is known entry by entry, other forms are quadratic in the signs.
            degree = 1 if all(len(rule.nodes) == 1 for rule in self.probes) else 2
            if self.kind == "signs" and not agreement_counts(m, degree):
                spread = np.where(spread <= _AGREE * self.eps * size, np.inf, spread)
        elif m == 1 or first == 0:
            spread = zero + np.inf
        return Parts(
            value=value,
            stderr=np.hypot(spread, _ROUNDOFFS * self.eps * size),
            bias=error,
            samples=samples,
            degrees_of_freedom=m - 1.0 if m else np.inf,
        )

    def _unseen(self, values_at: Callable[[Floats], Floats]) -> Floats | float:
        """Return what the captured space knows of the rest, and the samples have not met.

        Of a Ritz vector in that space, one less its weight is outside the captured part. Where its
        value lies beyond the nodes of a sample, the sample's run was too short to see that.
        """
        if self.deflated is None:
            return 0.0
        nodes = self.deflated.nodes
        outside = np.clip(1 - self.deflated.weights, 0.0, 1.0)
        largest = nodes[[np.argmax(np.abs(nodes))]] if len(nodes) else nodes
        missed: list[Floats] = []
        for rule in self.probes:
            ends = np.clip(nodes, np.min(rule.nodes), np.max(rule.nodes))
            beyond = np.flatnonzero((ends != nodes) & (outside > 0))
            if len(beyond):
                # With the largest node, beside which others count as zero.
                found = values_at(np.concatenate([largest, nodes[beyond], ends[beyond]]))[1:]
                change = np.abs(found[: len(beyond)] - found[len(beyond) :])
                missed.append(np.asarray(outside[beyond] @ change))
        # It is no less than this; twice that leaves room for what the space itself has missed.
        return 2 * np.sum(missed, axis=0) / len(self.probes) if missed else 0.0

    def _rules(self) -> list[Rule]:
        return [*([] if self.deflated is None else [self.deflated]), *self.probes]


class Sums(NamedTuple):
    """What a rule gives for a function, or for many: arrays of shape () or (m,)."""

    total: Floats
    """The sum itself."""
    error: Floats
    """How far off the rule is."""
    size: Floats
    """The sum of the moduli of its terms."""
    spread: Floats
    """The same for the function without its mean."""


def rule_sums(rules: list[Rule], values_at: Callable[[Floats], Floats]) -> list[Sums]:
    """Return what rules give for a function.

    Parameters
    ----------
    rules : list of Rule
        Their nodes go into one call.
    values_at : callable
        Maps nodes, (k,), to values, (k,) or (k, m).

    Returns
    -------
    list of Sums
        One per rule.
    """
    pieces = [piece for rule in rules for piece in rule.pieces]
    values = values_at(np.concatenate([np.zeros(0), *(nodes for nodes, _ in pieces)]))
    found = []
    start = 0
    for rule in rules:
        totals = []
        fine = values[start : start + len(rule.nodes)]
        for nodes, weights in rule.pieces:
            totals.append(np.asarray(weights @ values[start : start + len(nodes)]))
            start += len(nodes)
        moduli = np.abs(rule.weights)
        mean = moduli @ fine / (moduli.sum() or 1.0)
        size = np.asarray(moduli @ np.abs(fine))
        found.append(
            Sums(
                total=totals[0],
                error=rule.error(totals, size),
                size=size,
                spread=np.asarray(moduli @ np.abs(fine - mean)),
            )
        )
    return found
