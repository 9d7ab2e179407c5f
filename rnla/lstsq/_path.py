"""Ridge regression for many penalties at the price of a few."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnla._core.checks import as_inexact, check_finite_array
from rnla._core.driver import Outcome, Recertify, State
from rnla._core.rng import RNGLike
from rnla._core.status import ConvergenceWarning
from rnla.linalg.factor import column_scale
from rnla.linalg.normal import DampedNormal
from rnla.linalg.precondition import Preconditioner, TriangularPreconditioner
from rnla.lstsq._certificate import KarlsonWalden
from rnla.lstsq._check import check_problem
from rnla.lstsq._choose import choose, choose_stable
from rnla.lstsq._cost import default_sketch_size
from rnla.lstsq._defaults import RANK_CUTOFF, TOLERANCE
from rnla.lstsq._methods import SPIR, SPNE, Gram
from rnla.lstsq._path_operators import PathCertificate, PathNormal, PathPreconditioner
from rnla.lstsq._problem import Problem, Solved
from rnla.lstsq._rounds import certified
from rnla.lstsq._solve import corrected, solve
from rnla.lstsq._stationary import stationary
from rnla.lstsq._surrogate import sketched


@dataclass(frozen=True)
class RidgePath:
    """Solutions for every penalty, each with its certificate.

    Attributes
    ----------
    damps : ndarray, shape (p,)
        The penalties, as given.
    x : ndarray, shape (p, n)
        Row j minimises ``||b - A x||^2 + damps[j]^2 ||x||^2`` (weighted, if weights were given).
    backward_error : ndarray, shape (p,)
        Relative backward errors of the stacked problems ``[A; damps[j] I] x = [b; 0]``, of `x` as
        returned, which in single precision has been rounded.
    residual_norm : ndarray, shape (p,)
        Square roots of the minimised sums.
    rank : ndarray of int, shape (p,)
        Numerical ranks of the stacked matrices.
    success : bool
        Whether every certificate met the tolerance.
    n_passes : int
        Readings of A for the whole path.
    """

    damps: NDArray[np.float64]
    x: NDArray[Any]
    backward_error: NDArray[np.float64]
    residual_norm: NDArray[np.float64]
    rank: NDArray[np.intp]
    success: bool
    n_passes: int


def ridge_path(
    A: Any,
    b: ArrayLike,
    damps: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    sketch_size: int | None = None,
    rtol: float | None = None,
    rng: RNGLike = None,
    check_finite: bool = True,
) -> RidgePath:
    r"""Solve ``min sum_i w_i |b_i - a_i x|^2 + damp^2 ||x||^2`` for many values of `damp`.

    One matrix product with A serves all penalties. For a well-conditioned A it is the Gram matrix
    itself; otherwise, with the factor R of one sketch and :math:`W = A R^{-1}`,

    .. math:: A^H A + \delta^2 I = R^H (W^H W + \delta^2 R^{-H} R^{-1}) R ,

    whose middle is well conditioned, so its Cholesky factor costs ``n^3 / 3`` flops per penalty.
    All solutions are then corrected against A together and certified one by one.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        The matrix; any m, if all `damps` are positive.
    b : array_like, shape (m,)
        Right-hand side.
    damps : array_like, shape (p,)
        Penalties, 0 or more, in any order.
    weights : array_like, shape (m,), optional
        Row weights, 0 or more.
    sketch_size : int, optional
        Rows of the sketch. Default: by a cost model.
    rtol : float, optional
        Relative backward error wanted. Default: twice the machine epsilon.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the sketch.
    check_finite : bool, default True
        Refuse NaN and infinity in `b`.

    Returns
    -------
    RidgePath
        With ``x`` of shape (p, n) and a backward error for every penalty.

    Raises
    ------
    ValueError
        If shapes do not fit, a penalty is negative or the data hold NaN or infinity.
    TypeError
        If an argument has the wrong type.

    Warns
    -----
    ConvergenceWarning
        If a certificate is above the tolerance.

    See Also
    --------
    rnla.lstsq_refine : One penalty, with every option.

    Notes
    -----
    Cost: one sketch, ``3 m n^2`` flops, and two or three readings of A with p columns
    (``4 m n p`` flops each). A penalty that does not converge so is solved on its own.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.lstsq import ridge_path
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((5000, 20)) @ np.diag(np.logspace(0, -6, 20))
    >>> b = A @ np.ones(20) + rng.standard_normal(5000)
    >>> path = ridge_path(A, b, np.logspace(-3, 3, 7), rng=1)
    >>> path.x.shape, bool(path.backward_error.max() < 1e-15)
    ((7, 20), True)
    """
    penalties = _checked_damps(damps)
    problem, restore = check_problem(
        A,
        b,
        damp=0.0,
        weights=weights,
        x0=None,
        rcond=RANK_CUTOFF,
        preconditioner=None,
        tolerance=TOLERANCE if rtol is None else rtol,
        maxiter=None,
        callback=None,
        check_finite=check_finite,
    )
    if problem.A.shape[1] == 0:
        raise ValueError(f"`A` must have columns, got shape {problem.A.shape}")
    if not restore.vector:
        raise ValueError(f"`b` must have shape ({len(problem.B)},): one right-hand side")
    method = SPNE(sketch_size=sketch_size)
    solved = _solve_path(problem, penalties / restore.weight_unit, method, rng)
    x = np.empty((len(solved), problem.A.shape[1]), restore.dtype)
    errors, success = np.zeros(len(solved)), True
    for j, one in enumerate(solved):
        state = one.outcome.state
        x[j] = restore.solution(state.x)
        errors[j], kept = restore.certificate(state, x[j], problem.tolerance)
        success &= kept and state.error <= problem.tolerance
    if not success:
        warnings.warn(
            f"backward error {np.max(errors):.1e} is above rtol={problem.tolerance:.1e} for "
            f"damp={penalties[int(np.argmax(errors))]}",
            ConvergenceWarning,
            stacklevel=2,
        )
    states = [one.outcome.state for one in solved]
    return RidgePath(
        damps=penalties,
        x=x,
        backward_error=errors,
        residual_norm=np.array([restore.norms(_norms(state)) for state in states]),
        rank=np.array([one.rank for one in solved], dtype=np.intp),
        success=success,
        n_passes=problem.A.n_passes,
    )


def _checked_damps(damps: ArrayLike) -> NDArray[np.float64]:
    values = as_inexact(damps, "damps")
    if values.dtype.kind == "c" or values.ndim != 1:
        raise ValueError(f"`damps` must be a vector of real numbers, got shape {values.shape}")
    check_finite_array(values, "damps")
    if len(values) and values.min() < 0:
        raise ValueError(f"`damps` must not be negative, got {values.min()}")
    return values.astype(np.float64)


def _solve_path(
    problem: Problem, damps: NDArray[np.float64], method: SPNE, rng: RNGLike
) -> list[Solved]:
    """Solve together what converges together, the rest one by one."""
    shared = _shared(problem, damps, method, rng) if len(damps) and problem.B.size else None
    solved = []
    for j, damp in enumerate(damps):
        one = None if shared is None else shared[j]
        if one is None or not one.outcome.state.error <= problem.tolerance:
            alone = _damped(problem, damp)
            if one is not None:
                alone = replace(alone, P=one.preconditioner, X0=one.outcome.state.x)
            choice = choose_stable(alone.A, alone.B.shape[1], "sparse_sign", method.sketch_size)
            chosen = choice.method if one is None else SPIR()
            one = solve(alone, chosen, chosen, rng).judged(problem)
        solved.append(one)
    return solved


def _damped(problem: Problem, damp: float) -> Problem:
    if damp == 0:
        return problem
    n, k = problem.A.shape[1], problem.B.shape[1]
    B = np.vstack([problem.B, np.zeros((n, k), problem.B.dtype)])
    return replace(problem, A=DampedNormal(problem.A, float(damp)), B=B)


def _shared(
    problem: Problem, damps: NDArray[np.float64], method: SPNE, rng: RNGLike
) -> list[Solved] | None:
    """Solve all penalties with one surrogate and one product; None where there is none."""
    A, k = problem.A, problem.B.shape[1]
    n = A.shape[1]
    if A.shape[0] <= default_sketch_size(*A.shape):
        return None
    least = float(np.min(damps))
    choice = choose(_damped(problem, least).A, len(damps) * k, method.sketch, method.sketch_size)
    if isinstance(choice.method, Gram):
        # Well conditioned: columns of equal size are surrogate enough.
        G, c = A.gram(problem.B)
        size = np.sqrt(np.diagonal(G).real + least**2)
        scale = column_scale(size)
        P: Preconditioner = TriangularPreconditioner(np.eye(n, dtype=A.dtype), scale)
        G, c, N = scale[:, None] * G * scale, scale[:, None] * c, np.diag(scale**2)
    else:
        P = sketched(_damped(problem, least), method, rng).P
        inverse = P.matmat(np.eye(P.rank, dtype=A.dtype))
        G, c = A.whitened(inverse, problem.B)
        N = inverse.conj().T @ inverse
    if not isinstance(P, TriangularPreconditioner) or not np.isfinite(G).all():
        return None
    factors: list[Preconditioner] = []
    starts = []
    for damp in damps:
        with np.errstate(over="ignore", invalid="ignore"):
            M = G + np.square(damp) * N
        exact = corrected(P, M) if np.isfinite(M).all() else None
        if exact is None:
            return None
        factors.append(exact)
        starts.append(P.matmat(np.linalg.solve(M, c)))
    # For one right-hand side a view: all penalties have the same.
    shape = (len(problem.B), len(damps))
    B = np.broadcast_to(problem.B, shape) if k == 1 else np.tile(problem.B, (1, len(damps)))
    states = stationary(
        PathNormal(A, np.repeat(damps, k)),
        B,
        np.hstack(starts),
        PathPreconditioner(factors),
        PathCertificate(factors),
        problem.tolerance,
    )
    outcome = problem.run(states)
    return [
        Solved.with_preconditioner(
            _part(outcome, slice(j * k, j * k + k), _recertifier(problem, damp, factor)),
            factor,
            method.name,
        )
        for j, (damp, factor) in enumerate(zip(damps, factors, strict=True))
    ]


def _recertifier(problem: Problem, damp: float, P: Preconditioner) -> Recertify:
    def recertify(X: NDArray[Any]) -> NDArray[np.float64]:
        alone = _damped(problem, damp)
        return certified(alone.A, alone.B, X, KarlsonWalden(P), problem.tolerance).errors

    return recertify


def _norms(state: State) -> NDArray[np.float64]:
    assert state.residual_norm is not None  # the driver returns certified states only
    return state.residual_norm


def _part(outcome: Outcome, columns: slice, recertify: Recertify) -> Outcome:
    """Return what the driver found for some columns."""
    state = outcome.state
    assert state.residual_norm is not None
    assert state.column_errors is not None
    X, norms, errors = (
        state.x[:, columns],
        state.residual_norm[columns],
        state.column_errors[columns],
    )
    error = float(np.max(errors))
    part = State(state.n_iter, error, True, lambda: X, norms, errors, recertify)
    return replace(outcome, state=part)
