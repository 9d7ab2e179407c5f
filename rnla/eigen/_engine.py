"""From a checked call to an `EigenResult`: choose the problem to solve, run it, transform back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Callback, Outcome, run
from rnla._core.status import Status
from rnla.eigen._correction import (
    Preconditioned,
    as_surrogate,
    left_over,
    sketched_surrogate,
    start_of,
)
from rnla.eigen._dense import dense_pairs, prefers_dense
from rnla.eigen._invert import must_iterate, shifted_inverse
from rnla.eigen._lanczos import BlockLanczos, Plan, RitzState
from rnla.eigen._polish import backward_stable, pencil_residual, polished
from rnla.eigen._problem import (
    Buckling,
    Cayley,
    Generalized,
    Problem,
    Reflected,
    ShiftInvert,
    Standard,
)
from rnla.eigen._result import EigenResult
from rnla.eigen._select import Selection
from rnla.eigen._smallest import definite_end, semidefinite
from rnla.eigen._validate import Request
from rnla.linalg.block import BlockOperator, DenseBlock, OperatorBlock, SparseBlock
from rnla.linalg.surrogate import Surrogate

_RESTARTS = 10
# Columns at a time: a Krylov space from b columns sees b copies of an eigenvalue.
_BLOCK, _BLOCK_FEW, _BLOCK_DENSE, _BLOCK_MANY = 4, 2, 8, 16
_LARGE, _FEW, _MANY = 1000, 8, 32
# Basis vectors beyond the wanted ones: fewer where each takes much memory.
_ROOM, _LEAST_ROOM, _ROOM_ENTRIES, _PER_ENTRY = 96, 32, 1 << 25, 4


@dataclass(frozen=True, kw_only=True)
class Options:
    """What SciPy has no argument for.

    Attributes
    ----------
    method : str
        "auto", "dense" or "lanczos".
    block_size : int or None
        Columns multiplied at a time.
    verify : bool
        Whether to search the complement in the end.
    surrogate : object or None
        As the caller gave it.
    sketch_size : int or None
        Rank of a surrogate to make.
    keep_surrogate : bool
        Whether to return what the search leaves over.
    callback : callable or None
        For the driver.
    rng : Generator
        For everything random.
    """

    method: str
    block_size: int | None
    verify: bool
    surrogate: Any
    sketch_size: int | None
    keep_surrogate: bool
    callback: Callback | None
    rng: np.random.Generator


@dataclass(frozen=True)
class Solved:
    """The result, and which of its pairs met the tolerance."""

    result: EigenResult
    converged: NDArray[np.bool_]
    tolerance: float
    norm: float


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
    """
    corrected = options.surrogate is not None or options.sketch_size is not None
    if corrected:
        _check_correctable(request, options)
    elif options.method == "dense" or (options.method == "auto" and prefers_dense(request)):
        outcome = run(dense_pairs(request), tolerance=0.0, maxiter=1, callback=options.callback)
        return _solved(request, None, outcome, 0.0, options)
    else:
        solved = _at_an_end(request, options)
        if solved is not None:
            return solved
    problem, selection = spectral_problem(request)
    plan = _plan(request, problem, selection, options)
    start, surrogate = request.start, None
    if corrected:
        surrogate = _surrogate(request, options)
        block = options.block_size or min(request.k, _BLOCK_MANY)
        block = min(block, max(1, (plan.capacity - request.k) // 4))
        plan = replace(plan, block=block, correction=surrogate.correct)
        start = start_of(surrogate, selection, start)
    search = BlockLanczos(problem, plan, options.rng)
    outcome = run(
        search.states(start),
        tolerance=search.tolerance,
        maxiter=_RESTARTS * request.n if request.maxiter is None else request.maxiter,
        callback=options.callback,
    )
    return _solved(request, problem, outcome, search.tolerance, options, surrogate)


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


def spectral_problem(request: Request) -> tuple[Problem, Selection]:
    """Return an operator whose extreme eigenvalues are the ones asked for.

    Parameters
    ----------
    request : Request
        The checked call.

    Returns
    -------
    problem : Problem
        Operator, inner product and the way back.
    selection : Selection
        What is wanted of its eigenvalues.
    """
    A, M, sigma, dtype = request.A, request.M, request.sigma, request.dtype
    selection, inverted = request.selection, Selection("LM", request.k)

    def inverse(A: BlockOperator, M: BlockOperator | None, sigma: float) -> Any:
        return shifted_inverse(A, M, sigma, dtype, request.tol)

    smallest = selection.which == "SM"
    if sigma is None:
        if smallest:
            K, shift = inverse(A, M, 0.0)
            return ShiftInvert(K, M, shift, dtype), inverted
        return _unshifted(request, 0.0), selection
    if smallest and request.mode == "normal":
        # The ones farthest from the shift.
        return _unshifted(request, sigma), inverted
    if smallest and request.mode == "cayley":
        K, shift = inverse(A, M, -sigma)
        return Cayley(K, M, shift, dtype), inverted
    if smallest:
        K, _ = inverse(A, None, 0.0)
        return Reflected(K, A, M, sigma, dtype), inverted
    K, shift = (request.OPinv, sigma) if request.OPinv is not None else inverse(A, M, sigma)
    if request.mode == "buckling":
        return Buckling(K, A, shift, dtype), selection
    kind = Cayley if request.mode == "cayley" else ShiftInvert
    return kind(K, M, shift, dtype), selection


def _unshifted(request: Request, sigma: float) -> Problem:
    """Return ``A - sigma I`` or ``M^-1 A - sigma I``."""
    M, Minv = request.M, request.Minv
    if M is None:
        return Standard(request.A, sigma, request.dtype)
    if Minv is None:
        Minv, _ = shifted_inverse(M, None, 0.0, request.dtype, request.tol)
    return Generalized(request.A, M, Minv, sigma, request.dtype)


def _plan(request: Request, problem: Problem, selection: Selection, options: Options) -> Plan:
    n, k = request.n, request.k
    block = options.block_size or _block_size(request, problem)
    room = min(_ROOM, max(_LEAST_ROOM, _ROOM_ENTRIES // n))
    if isinstance(problem.main, SparseBlock):
        # Where products are cheap, orthogonalisation against many vectors is not.
        room = min(room, max(_LEAST_ROOM, _PER_ENTRY * problem.main.rows.nnz // n))
    capacity = request.ncv or min(n, max(2 * k + 4 + 4 * block, k + room))
    return Plan(
        selection=selection,
        block=min(block, max(1, (capacity - k) // 4)),
        capacity=capacity,
        tol=request.tol,
        verify=options.verify,
        keeps_space=options.keep_surrogate,
    )


def _block_size(request: Request, problem: Problem) -> int:
    main = problem.main
    if isinstance(main, OperatorBlock) and main.by_columns:
        return _BLOCK_FEW
    if isinstance(main, SparseBlock) and request.k <= _FEW:
        return _BLOCK_FEW
    if isinstance(main, DenseBlock) and request.n >= _LARGE:
        return _BLOCK_MANY if request.k >= _MANY else _BLOCK_DENSE
    return _BLOCK


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
    values = state.theta if problem is None else problem.eigenvalues(state.theta)
    order = np.argsort(values, kind="stable")
    values, X = values[order], state.x[:, order]
    norms, status = state.residual_norm[order], outcome.status
    if problem is not None and not problem.is_original:
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
    while type(problem) is ShiftInvert and not backward_stable(request, norms, values, X):
        better, Y = polished(request, problem.main, values, X)
        refined = np.linalg.norm(pencil_residual(request, better, Y), axis=0)
        if not refined.max() < norms.max() / 2:
            break
        values, X, norms = better, Y, refined
    if status is Status.STAGNATED and backward_stable(request, norms, values, X):
        status = Status.CONVERGED
    return status, values, X, norms
