"""From a checked call to an `EigenResult`: choose the problem to solve, run it, transform back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Outcome, State, run
from rnla._core.status import Status
from rnla.eigen._correction import (
    Preconditioned,
    as_surrogate,
    left_over,
    most_left,
    sketched_surrogate,
    start_of,
)
from rnla.eigen._definite import requirement, too_few
from rnla.eigen._dense import dense_pairs, prefers_dense, shifted
from rnla.eigen._filter import filtered_states
from rnla.eigen._invert import must_iterate
from rnla.eigen._inverted import ShiftInvert
from rnla.eigen._lanczos import BlockLanczos
from rnla.eigen._moved import is_ball, is_moved, nearest
from rnla.eigen._outlook import outlook_for
from rnla.eigen._plan import Plan, RitzState
from rnla.eigen._planning import BLOCK_MANY, Options, is_filtered, plan_for
from rnla.eigen._polish import backward_stable, pencil_residual, polished
from rnla.eigen._problem import Problem, Standard
from rnla.eigen._range import safe_roots, scaled
from rnla.eigen._result import EigenResult
from rnla.eigen._select import Selection
from rnla.eigen._smallest import definite_end, semidefinite
from rnla.eigen._transform import spectral_problem
from rnla.eigen._validate import Request
from rnla.linalg.block import DenseBlock, SparseBlock
from rnla.linalg.orth import IndefiniteError
from rnla.linalg.quiet import quiet_blas
from rnla.linalg.surrogate import Surrogate

_RESTARTS = 10
# By how much a search around a moved shift widens, and where all eigenvalues are the faster way.
_WIDER, _FEW_ROWS, _DENSE_SHARE = 8, 3000, 6
# Flops of all eigenpairs for each cube of n, in units of what flops of a Lanczos step take.
_DENSE_PRICE = 2


@dataclass(frozen=True)
class Solved:
    """The result, and which of its pairs met the tolerance.

    `beside` tells that they are those around another shift than the caller's, with nothing known
    of what lies between the two.
    """

    result: EigenResult
    converged: NDArray[np.bool_]
    tolerance: float
    norm: float
    beside: bool = False


def solve_request(request: Request, options: Options) -> Solved:
    """Solve a checked call.

    Parameters
    ----------
    request : Request
        What SciPy knows.
    options : Options
        What it does not.

    Returns
    -------
    Solved
        Eigenvalues ascend.

    Raises
    ------
    ValueError
        If the pencil has no k finite eigenvalues, or is found to be no Hermitian-definite one.
    """
    solved = _solve(request, options)
    finite = int(np.count_nonzero(np.isfinite(solved.result.values)))
    if finite < request.k:
        raise ValueError(too_few(request, finite))
    return solved


def _solve(request: Request, options: Options) -> Solved:
    roots = safe_roots(request) if options.surrogate is None else (1.0, 1.0)
    if roots != (1.0, 1.0):
        return _solve_scaled(request, options, *roots)
    corrected = options.surrogate is not None or options.sketch_size is not None
    if corrected:
        _check_correctable(request, options)
    elif options.method == "dense" or (options.method == "auto" and prefers_dense(request)):
        return _dense(request, options)
    else:
        solved = _at_an_end(request, options)
        if solved is not None:
            return solved
    problem, selection = spectral_problem(request)
    plan = plan_for(request, problem, selection, options)
    start, surrogate = request.start, None
    if corrected:
        surrogate = _surrogate(request, options)
        block = options.block_size or min(request.k, BLOCK_MANY)
        block = min(block, max(1, (plan.capacity - request.k) // 4))
        plan = replace(plan, block=block, correction=surrogate.correct, keeps_products=True)
        start = start_of(surrogate, selection, start)
    restarts = _worth_trying(request, plan, options)
    solved = _searched(request, problem, plan, options, start, surrogate, restarts)
    if restarts is not None and solved.result.status is Status.MAX_ITERATIONS:
        dense = _dense(request, options)
        return replace(dense, result=replace(dense.result, status=Status.FELL_BACK))
    if is_moved(request, problem):
        return _around_the_shift(request, problem, solved, options)
    return solved


def _worth_trying(request: Request, plan: Plan, options: Options) -> int | None:
    """Return after how many restarts LAPACK would have been faster, None where it cannot help."""
    free = request.ncv is None and request.maxiter is None and options.method == "auto"
    if not free or not request.explicit or request.n > _FEW_ROWS or plan.correction is not None:
        return None
    restart = 4 * plan.capacity * (plan.capacity - plan.kept)
    return max(_RESTARTS, _DENSE_PRICE * request.n**2 // restart)


def _solve_scaled(request: Request, options: Options, A_root: float, M_root: float) -> Solved:
    A, M, sigma = cast(DenseBlock | SparseBlock, request.A), request.M, request.sigma
    if sigma is not None:
        sigma = sigma * A_root * A_root / M_root / M_root
    if M is not None:
        M = scaled(cast(DenseBlock | SparseBlock, M), M_root)
    solved = solve_request(replace(request, A=scaled(A, A_root), M=M, sigma=sigma), options)
    result, real = solved.result, solved.result.values.dtype.type
    with np.errstate(over="ignore"):
        values = result.values / real(A_root) / real(A_root) * real(M_root) * real(M_root)
    if not np.isfinite(values[np.isfinite(result.values)]).all():
        raise ValueError(f"`A` has eigenvalues beyond the range of {request.dtype}: scale it")
    # Vectors are of unit length in the inner product of M, or of A.
    length = A_root if request.mode == "buckling" else M_root
    result = replace(
        result,
        values=values,
        vectors=result.vectors * real(length),
        residual_norms=result.residual_norms / A_root / A_root * length,
        value_history=result.value_history / A_root / A_root * M_root * M_root,
        residual_history=result.residual_history / A_root / A_root,
        surrogate=None,
    )
    return replace(solved, result=result, norm=solved.norm / A_root / A_root)


def _searched(
    request: Request,
    problem: Problem,
    plan: Plan,
    options: Options,
    start: NDArray[Any] | None,
    surrogate: Surrogate | Preconditioned | None = None,
    restarts: int | None = None,
) -> Solved:
    looks: list[tuple[NDArray[Any], NDArray[Any]]] = []

    def record(state: State) -> None:
        assert isinstance(state, RitzState)
        # The start has no Ritz values yet.
        if state.theta is not None and state.residual_norm is not None:
            # The value zero of an inverse is no eigenvalue yet.
            with np.errstate(divide="ignore", invalid="ignore"):
                values = problem.eigenvalues(state.theta)
            order = np.argsort(values, kind="stable")
            looks.append((values[order], state.residual_norm[order]))
        if options.callback is not None:
            options.callback(state)

    with quiet_blas(problem.main, plan.block):
        search = BlockLanczos(problem, plan, options.rng)
        filtered = is_filtered(request, problem, plan, options)
        states = filtered_states(search, start) if filtered else search.states(start)
        outlook = None if restarts is None else outlook_for(problem, search)
        try:
            outcome = run(
                states if outlook is None else outlook.states(states),
                tolerance=search.tolerance,
                maxiter=request.maxiter or restarts or _RESTARTS * request.n,
                callback=record,
            )
        except IndefiniteError:
            raise ValueError(requirement(request)) from None
    if outlook is not None and outlook.gave_up:
        outcome = replace(outcome, status=Status.MAX_ITERATIONS)
    if restarts is not None and outcome.status is Status.MAX_ITERATIONS:
        # LAPACK comes next, and will know more.
        options = replace(options, keep_surrogate=False)
    solved = _solved(request, problem, outcome, search.tolerance, options, surrogate)
    if not looks:
        return solved
    values, norms = (np.array(each, np.float64) for each in zip(*looks, strict=True))
    # Residuals of an inverse are not the caller's.
    norms = norms if problem.is_original else norms[:0]
    result = replace(solved.result, value_history=values, residual_history=norms)
    return replace(solved, result=result)


def _dense(request: Request, options: Options) -> Solved:
    more = most_left(request.k) if options.keep_surrogate else 0
    outcome = run(dense_pairs(request, more), tolerance=0.0, maxiter=1, callback=options.callback)
    return _solved(request, None, outcome, 0.0, options)


def _around_the_shift(
    request: Request, problem: Problem, solved: Solved, options: Options
) -> Solved:
    """Widen the search around a shift that was moved until it covers what was asked for."""
    width = request.k
    while solved.result.status in (Status.CONVERGED, Status.STAGNATED):
        found = solved.result.success and is_ball(request)
        kept = nearest(request, problem, solved.result.values) if found else None
        if kept is not None:
            return _subset(solved, kept)
        width = 2 * width + _WIDER
        if request.n <= _FEW_ROWS and (width * _DENSE_SHARE > request.n or not found):
            return _dense(request, options)
        if width >= request.n or not found:
            break
        wider = replace(
            request, selection=replace(request.selection, k=width), ncv=None, maxiter=None
        )
        plan = plan_for(wider, problem, Selection("LM", width), options)
        solved = _searched(wider, problem, plan, options, None)
    order = np.sort(request.selection.order(shifted(solved.result.values, request))[: request.k])
    best = _subset(solved, order)
    return replace(best, result=replace(best.result, verified=False), beside=True)


def _subset(solved: Solved, kept: NDArray[Any]) -> Solved:
    result = solved.result
    empty = np.empty((0, len(kept)))
    result = replace(
        result,
        values=result.values[kept],
        vectors=np.ascontiguousarray(result.vectors[:, kept]),
        residual_norms=result.residual_norms[kept],
        residual_history=empty,
        value_history=empty,
    )
    return replace(solved, result=result, converged=solved.converged[kept])


def _at_an_end(request: Request, options: Options) -> Solved | None:
    """Find smallest magnitudes of a large semidefinite operator without an inverse of it."""
    A, M, which = request.A, request.M, request.selection.which
    if which != "SM" or request.sigma is not None or M is not None or not must_iterate(A, M):
        return None
    end = definite_end(A, request.dtype, options.rng)
    if end is None:
        return None
    solved = solve_request(replace(request, selection=Selection(end, request.k)), options)
    values = solved.result.values
    scale = solved.norm
    # A few eigenvalues of the other sign may show up only now.
    return (
        solved if semidefinite(values if end == "SA" else -values, scale, request.dtype) else None
    )


def _check_correctable(request: Request, options: Options) -> None:
    if options.surrogate is not None and options.sketch_size is not None:
        raise ValueError("`sketch_size` must be left out where `surrogate` is given")
    if request.M is not None or request.sigma is not None or request.selection.which == "SM":
        raise ValueError(
            "`surrogate` and `sketch_size` are for A x = w x at the ends of the spectrum: leave "
            "out `M` and `sigma`, and use another `which` than 'SM'"
        )
    if options.method == "dense":
        raise ValueError("`surrogate` and `sketch_size` must be left out where method='dense'")


def _surrogate(request: Request, options: Options) -> Surrogate | Preconditioned:
    if options.sketch_size is not None:
        return sketched_surrogate(request.A, options.sketch_size, options.rng)
    return as_surrogate(options.surrogate, request.n, request.dtype)


def _solved(
    request: Request,
    problem: Problem | None,
    outcome: Outcome,
    tolerance: float,
    options: Options,
    used: Surrogate | Preconditioned | None = None,
) -> Solved:
    state = cast(RitzState, outcome.state)
    assert state.theta is not None
    assert state.residual_norm is not None
    assert state.column_errors is not None
    main = request.A if problem is None else problem.main
    n_matvec, n_passes = main.n_matvec, main.n_passes
    if request.OPinv is not None and not state.theta.any():
        raise ValueError("`OPinv` must be the inverse of `A - sigma M`, and it maps all to zero")
    values = state.theta if problem is None else problem.eigenvalues(state.theta)
    order = np.argsort(values, kind="stable")
    values, X = values[order], state.x[:, order]
    norms, status = state.residual_norm[order], outcome.status
    if problem is not None and not problem.is_original:
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = norms / np.abs(state.theta[order])
        status, values, X, norms = _in_the_pencil(request, problem, status, values, X, relative)
    left = None
    if options.keep_surrogate and state.space is not None and _is_standard(request, problem):
        left = left_over(state.space, request.selection, used)
    history = outcome.history[np.isfinite(outcome.history)]
    real = np.empty(0, request.dtype).real.dtype
    result = EigenResult(
        values=values.astype(real),
        vectors=np.ascontiguousarray(X, request.dtype),
        residual_norms=np.asarray(norms, np.float64),
        status=status,
        method="dense" if problem is None else problem.name,
        verified=state.verified,
        n_iter=outcome.n_iter,
        n_matvec=n_matvec,
        n_passes=n_passes,
        history=history,
        residual_history=np.empty((0, request.k)),
        value_history=np.empty((0, request.k)),
        surrogate=left,
    )
    return Solved(result, state.column_errors[order] <= tolerance, tolerance, state.norm)


def _is_standard(request: Request, problem: Problem | None) -> bool:
    if problem is None:
        return request.M is None
    return isinstance(problem, Standard) and not problem.sigma


def _in_the_pencil(
    request: Request,
    problem: Problem,
    status: Status,
    values: NDArray[Any],
    X: NDArray[Any],
    relative: NDArray[Any],
) -> tuple[Status, NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Judge pairs of a transformed problem by their residuals in the caller's."""
    if request.OPinv is not None:
        # It stands for the matrix: the residual of OP, transformed to first order.
        assert request.sigma is not None
        return status, values, X, relative * np.abs(values - request.sigma)
    norms = np.linalg.norm(pencil_residual(request, values, X), axis=0)
    if not request.explicit or not np.isfinite(norms).all():
        return status, values, X, norms
    if type(problem) is ShiftInvert:
        values, X, norms = polished(request, problem.main, values, X)
    if status is Status.STAGNATED and backward_stable(request, norms, values, X):
        status = Status.CONVERGED
    return status, values, X, norms
