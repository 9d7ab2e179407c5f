"""From what the driver returns to what the caller gets."""

from __future__ import annotations

import numpy as np

from rnla._core.driver import Outcome
from rnla._core.status import Status
from rnla.refinement._columns import Columns
from rnla.refinement._problem import Problem
from rnla.refinement._result import RefineResult


def report(problem: Problem, columns: Columns, outcome: Outcome) -> RefineResult:
    """Gather the result of a finished iteration.

    Parameters
    ----------
    problem : Problem
        With its counts and the residuals it saw.
    columns : Columns
        The way back to the caller's shape.
    outcome : Outcome
        What the driver returned.

    Returns
    -------
    RefineResult
        In the caller's shape and units.
    """
    state, equation = outcome.state, problem.equation
    assert state.residual_norm is not None  # the driver returns certified states only
    norms = columns.norms(state.residual_norm / columns.unit)
    relative = equation.relative(norms, columns.b_norm)
    contraction = _contraction(problem.residuals, state.n_iter)
    return RefineResult(
        x=state.x.copy(),
        status=outcome.status,
        message=_message(problem, outcome.status, contraction),
        certificate=equation.certificate,
        backward_error=state.error if equation.linear else np.nan,
        relative_residual=float(np.max(relative, initial=0.0)),
        residual_norm=float(norms[0]) if columns.vector else norms,
        contraction=contraction,
        n_iter=outcome.n_iter,
        n_matvec=equation.n_matvec,
        n_solves=problem.solver.n_solves,
        history=outcome.history,
    )


def _contraction(residuals: list[tuple[int, float]], best: int) -> float:
    _, first = residuals[0]
    steps, last = next(pair for pair in residuals if pair[0] == best)
    if steps == 0:
        steps, last = residuals[-1]
    if steps == 0 or first == 0:
        return np.nan
    return float((last / first) ** (1 / steps))


def _message(problem: Problem, status: Status, contraction: float) -> str:
    if status is not Status.STAGNATED:
        return str(status.value)
    if problem.note:
        return problem.note
    if contraction >= 1:
        return (
            f"the residual grew {contraction:.2g} times per correction and the best iterate is "
            "returned; `approximate_solver` is too far from the inverse: improve it, or try "
            "`acceleration`"
        )
    shape = problem.equation.shape
    advice = "loosen `rtol`, improve `approximate_solver` or try another `acceleration`"
    if shape is not None and shape[0] > shape[1]:
        advice = "with more equations than unknowns, use rnla.lstsq_refine to minimise the residual"
    return (
        f"the certificate stopped falling above the tolerance and the best iterate is returned; "
        f"{advice}"
    )
