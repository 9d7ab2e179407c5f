"""Samples until the error bar is small enough or the products are spent."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rnla._core.status import Status
from rnla.trace._estimate import Estimate, student
from rnla.trace._goal import Goal
from rnla.trace._probes import Probes
from rnla.trace._quadrature import Parts, SpectralQuadrature
from rnla.trace._rules import Rule

# Fewer samples than this say little about their spread.
_PILOT = 4
_FEWEST_STEPS = 2
# A run that has not settled by then is cut off, and its error says so.
_MOST_STEPS = 400


def sample(
    probes: Probes, goal: Goal, *, method: str, deflated: Rule | None = None, shift: float = 0.0
) -> tuple[SpectralQuadrature, Estimate]:
    """Draw samples until the goal is met.

    Parameters
    ----------
    probes : Probes
        Where the samples come from.
    goal : Goal
        When to stop.
    method : str
        For the result.
    deflated : Rule, optional
        The part of the trace that is known.
    shift : float
        Added to the trace.

    Returns
    -------
    SpectralQuadrature, Estimate
        The rules, and what they give for the function of `probes`.
    """
    operand = probes.operand
    quadrature = SpectralQuadrature(
        n=operand.shape[0],
        method=method,
        n_matvec=operand.n_matvec,
        deflated=deflated,
        probes=(),
        eps=probes.eps,
        confidence=goal.confidence,
        kind=probes.stream.kind,
    )
    parts = quadrature.parts(probes.values)
    offset = shift + float(parts.value)
    # Dimension of what is left to the samples.
    rest = operand.shape[0] - (0 if probes.basis is None else probes.basis.shape[1])
    rows: list[tuple[float, float]] = []
    met = rest == 0
    allowed = goal.settled(offset, rest, max(1, goal.limit - operand.n_matvec))
    while not met:
        rules = quadrature.probes
        count, limit = _next(probes, goal, rules, parts)
        if count == 0:
            break
        rules += tuple(probes.rules(len(rules), count, limit=limit, allowed=allowed))
        quadrature = replace(quadrature, probes=rules, n_matvec=operand.n_matvec)
        parts = quadrature.parts(probes.values)
        parts = replace(parts, value=parts.value + shift)
        rows.append((operand.n_matvec, float(parts.stderr)))
        met = goal.has_tolerance and len(rules) >= _PILOT and goal.met(parts)
    if quadrature.is_exact:
        status = Status.EXACT
    elif goal.has_tolerance:
        status = Status.CONVERGED if met else Status.MAX_MATVECS
    else:
        status = Status.COMPLETED
    advice = ""
    if not status.met_tolerance and parts.bias >= 0.5 * goal.tolerance(float(parts.value)):
        advice = "; most of the error is that of the quadrature: raise `degree`"
    history: NDArray[np.float64] | None = np.array(rows, float) if rows else None
    return quadrature, quadrature.estimate(
        probes.f, status=status, name=probes.name, shift=shift, history=history, advice=advice
    )


def _next(probes: Probes, goal: Goal, rules: tuple[Rule, ...], parts: Parts) -> tuple[int, int]:
    """Return how many samples to draw next, 0 for none, and the steps that each may take."""
    remaining = goal.limit - probes.operand.n_matvec
    most = min(probes.operand.shape[0], probes.degree or _MOST_STEPS)
    if rules:
        steps = max(_FEWEST_STEPS, *(rule.steps for rule in rules))
        count = remaining // steps
        if goal.has_tolerance and len(rules) > 1:
            count = min(count, _wanted(goal, parts, len(rules)))
    else:
        count = max(1, min(_PILOT, remaining // min(most, probes.degree or _FEWEST_STEPS)))
    return (count, min(most, remaining // count)) if count > 0 else (0, 0)


def _wanted(goal: Goal, parts: Parts, m: int) -> int:
    """Return how many more samples the tolerance is likely to take, m at the most."""
    room = goal.tolerance(float(parts.value)) - float(parts.bias)
    if room <= 0:
        return 0
    quantile = student(goal.confidence, parts.degrees_of_freedom)
    ratio = min(quantile * float(parts.stderr) / room, 1e6)
    return min(m, max(1, math.ceil(m * ratio**2) - m))
