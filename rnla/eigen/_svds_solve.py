"""From a checked request to singular triplets and their certificate."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import State, run
from rnla._core.scan import largest_entry
from rnla._core.status import Status
from rnla.eigen._golub_kahan import GolubKahan
from rnla.eigen._range import safe_root
from rnla.eigen._result import EigenResult
from rnla.eigen._svds_check import Request
from rnla.eigen._svds_choose import Sizes, can_copy, choose, sizes
from rnla.eigen._svds_dense import check_range, dense_triplets, triplet_residuals
from rnla.eigen._svds_exact import exact_factor
from rnla.eigen._svds_gram import gram_started, prefers_gram
from rnla.eigen._svds_krylov import Aim, TripletIteration, TripletState, golub_kahan
from rnla.eigen._svds_left import left_limit
from rnla.eigen._svds_operator import AdjointView, ScaledView
from rnla.eigen._svds_precondition import GramFactor, GramPreconditioner, sketched_factor
from rnla.eigen._svds_smallest import GUARD, lobpcg
from rnla.eigen._svds_squares import prefers_squares, squares_started
from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock
from rnla.linalg.orth import orthonormal_block, random_block
from rnla.linalg.quiet import quiet_blas

# Restarts allowed per column of the smaller side, as in SciPy; in all, where LAPACK can take over.
_RESTARTS, _BEFORE_LAPACK = 10, 200
# Where rounding ends the iteration so near the tolerance, it is what the tolerance stands for.
_ROUNDING = 10
# How much longer than the refinement of left vectors aims for the residuals of a success may be.
_SLACK = 10


@dataclass(frozen=True)
class _Problem:
    """A tall view of the matrix, scaled into the safe range.

    Attributes
    ----------
    core : BlockOperator
        The matrix as it was given, which counts.
    wide : bool
        Whether it has fewer rows than columns, so that the view is its adjoint.
    A : BlockOperator, shape (m, n)
        The view, m >= n.
    root : float
        A is `root` squared times the matrix: in two steps, for the square may leave the range.
    """

    core: BlockOperator
    wide: bool
    A: BlockOperator
    root: float

    def entries(self) -> Any:
        """Return the scaled view as an array or a sparse matrix, None if there are no entries."""
        core = self.core
        if isinstance(core, DenseBlock):
            explicit: Any = core.A.conj().T if self.wide else core.A
        elif isinstance(core, SparseBlock):
            explicit = core.columns.conj() if self.wide else core.rows
        else:
            return None
        if self.root == 1:
            return explicit
        factor = explicit.dtype.type(self.root)
        return explicit * factor * factor

    def unscaled(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return singular values, or residual norms, of the matrix from those of the view."""
        unit = values.dtype.type(self.root)
        with np.errstate(over="ignore"):
            return np.asarray(values / unit / unit)


def singular_triplets(request: Request) -> EigenResult:
    """Compute what was asked for.

    Parameters
    ----------
    request : Request
        Checked arguments.

    Returns
    -------
    EigenResult
        The largest triplets in descending, the smallest in ascending order.
    """
    core = request.A
    wide = core.shape[0] < core.shape[1]
    view: BlockOperator = AdjointView(core) if wide else core
    method = choose(request, view, core)
    if method == "dense":
        return _dense(request, Status.CONVERGED)
    problem = _scaled(core, view, wide, request.rng)
    result = _iterated(request, problem, method, sizes(request, view, core))
    if not result.success and _may_fall_back(request, problem, method):
        return _dense(request, Status.FELL_BACK)
    return result


def _dense(request: Request, status: Status) -> EigenResult:
    A = request.A
    U, sigma, V, residuals = dense_triplets(A, request.k, request.largest)
    return EigenResult(
        values=sigma,
        vectors=V,
        left_vectors=U,
        residual_norms=residuals,
        status=status,
        method="dense",
        verified=True,
        n_iter=0,
        n_matvec=A.n_matvec,
        n_passes=A.n_passes,
        history=np.zeros(1),
        residual_history=np.empty((0, request.k)),
        value_history=np.empty((0, request.k)),
    )


def _scaled(
    core: BlockOperator, view: BlockOperator, wide: bool, rng: np.random.Generator
) -> _Problem:
    """Bring entries to about one by a power of two, if their squares might leave the range."""
    if isinstance(core, DenseBlock | SparseBlock):
        largest = core.largest
    else:
        sample = view.product(random_block(rng, (view.shape[1], 1), view.dtype))
        largest = largest_entry(sample)
        if not np.isfinite(largest):
            raise ValueError("`A` times a finite vector holds NaN or infinity")
    root = safe_root(largest, core.dtype)
    return _Problem(core, wide, view if root == 1 else ScaledView(view, root), root)


def _may_fall_back(request: Request, problem: _Problem, method: str) -> bool:
    """Tell whether LAPACK may take over: not from a caller's own settings."""
    free = request.maxiter is None and request.ncv is None and request.solver != method
    return free and can_copy(problem.A, problem.core)


def _iterated(request: Request, problem: _Problem, method: str, size: Sizes) -> EigenResult:
    A = problem.A
    aim = Aim(
        k=request.k,
        largest=request.largest,
        residual=request.residual,
        verify=request.verify,
        both=request.returned is True or request.returned == ("vh" if problem.wide else "u"),
    )
    context: AbstractContextManager[None] = nullcontext()
    if method == "krylov" and problem.root == 1 and prefers_squares(request, A):
        iteration = squares_started(A, problem.entries(), request, aim, size)
    elif method == "krylov":
        context = quiet_blas(problem.core, size.block)
        iteration = _krylov(request, problem, aim, size)
    else:
        iteration = _preconditioned(request, problem, aim, size, method)
    maxiter = _RESTARTS * A.shape[1] if request.maxiter is None else request.maxiter
    if _may_fall_back(request, problem, method):
        maxiter = min(maxiter, _BEFORE_LAPACK)
    looks: list[tuple[NDArray[Any], NDArray[Any]]] = []

    def record(state: State) -> None:
        assert isinstance(state, TripletState)
        if state.residuals is not None:
            looks.append((state.sigma, state.residuals))

    with context:
        outcome = run(iteration, tolerance=request.residual, maxiter=maxiter, callback=record)
    state = outcome.state
    assert isinstance(state, TripletState)
    U, sigma, V, residuals = state.triplets()
    if residuals is None:
        residuals = triplet_residuals(A.product(V), A.adjoint(U), U, sigma, V)
    value_history, residual_history = (
        np.array(each, np.float64) for each in zip(*looks, strict=True)
    )
    core, wide = problem.core, problem.wide
    status = outcome.status
    if status is Status.STAGNATED and state.error <= _ROUNDING * request.residual:
        status = Status.CONVERGED
    # The certificate is that of one side; where both are wanted both residuals have the last word.
    limit = _SLACK * left_limit(A.dtype, request.residual) * state.norm
    right = not aim.both or bool((residuals <= limit).all())
    if status is Status.CONVERGED and not right:
        status = Status.STAGNATED
    values = problem.unscaled(sigma)
    check_range(values)
    return EigenResult(
        values=values,
        vectors=U if wide else V,
        left_vectors=V if wide else U,
        residual_norms=problem.unscaled(residuals),
        status=status,
        method=method,
        verified=state.verified and right if request.verify else None,
        n_iter=outcome.n_iter,
        n_matvec=core.n_matvec,
        n_passes=core.n_passes,
        history=outcome.history,
        residual_history=problem.unscaled(residual_history),
        value_history=problem.unscaled(value_history),
    )


def _start(request: Request, problem: _Problem) -> NDArray[Any] | None:
    """Return the start vector on the smaller side, as a column."""
    if request.v0 is None:
        return None
    v0 = request.v0[:, None]
    if request.solver == "propack" and not problem.wide:
        # SciPy starts PROPACK from the left.
        return problem.A.adjoint(v0)
    return v0


def _krylov(request: Request, problem: _Problem, aim: Aim, size: Sizes) -> TripletIteration:
    A = problem.A
    rng = request.rng
    v0 = _start(request, problem)
    if problem.root == 1 and prefers_gram(request, A):
        return gram_started(A, request, aim, size, v0)
    F = random_block(rng, (A.shape[1], size.block), A.dtype)
    if v0 is not None:
        F[:, :1] = v0
    F = orthonormal_block(F, rng=rng)
    return golub_kahan(GolubKahan(A, F, size.capacity, rng), aim, F.shape[1])


def _preconditioned(
    request: Request, problem: _Problem, aim: Aim, size: Sizes, method: str
) -> TripletIteration:
    A, rng = problem.A, request.rng
    n = A.shape[1]
    explicit = problem.entries()
    H: GramPreconditioner
    if method == "sketched":
        H = sketched_factor(A, explicit, size.sketch, rng)
        if size.exact:
            H = exact_factor(A, explicit, H)
            problem.core.n_matvec += n * (explicit is not None)
            problem.core.n_passes += explicit is not None
    else:
        H = GramFactor(explicit)
    problem.core.n_passes += explicit is not None
    X = H.start(min(request.k + GUARD, n // 3), rng)
    v0 = _start(request, problem)
    if v0 is not None:
        # In place of a guard vector, or beside the only one.
        X = orthonormal_block(np.hstack([X[:, : max(request.k, X.shape[1] - 1)], v0]), rng=rng)
    return lobpcg(A, X, H, aim, rng)
