"""From a method and a checked problem to the driver's outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeGuard

import numpy as np

from rnla._core.driver import Iteration
from rnla._core.rng import RNGLike
from rnla._core.status import Status
from rnla.linalg.normal import DampedNormal, DenseNormal, NormalOperator, SingleNormal
from rnla.linalg.precondition import Preconditioner, TriangularPreconditioner
from rnla.lstsq._certificate import KarlsonWalden
from rnla.lstsq._choose import is_damped_wide
from rnla.lstsq._cost import default_sketch_size
from rnla.lstsq._defaults import EPS
from rnla.lstsq._direct import fits_dense, solve_gram, solve_lapack
from rnla.lstsq._factorless import solve_cgls
from rnla.lstsq._inner import ROUND_DROP, conjugate_gradients, heavy_ball, lsqr
from rnla.lstsq._iterations import spir
from rnla.lstsq._methods import (
    CGLS,
    FOSSILS,
    LAPACK,
    SIRR,
    SPIR,
    SPNE,
    Gram,
    IterativeSketching,
    Method,
    SketchAndPrecondition,
    SketchAndSolve,
    SketchedMethod,
)
from rnla.lstsq._minimum_norm import solve_minimum_norm
from rnla.lstsq._problem import Problem, Solved
from rnla.lstsq._recursive import sirr
from rnla.lstsq._rounds import certified
from rnla.lstsq._stationary import stationary
from rnla.lstsq._surrogate import Surrogate, better_start, sketched
from rnla.sketch import SketchingOperator

# Backward error, in units of roundoff, above which "auto" does not trust its first choice.
_MISSED = 25
# Sketch rows per column that the parameters of these methods assume.
_FACTOR = 12
_PLAIN_FACTOR = 30
# Below, the plain iteration contracts slowly, or not at all from about 12 n on.
_PLAIN_LEAST = 20
# Beyond, a round with a copy in single precision would gain less than three digits.
_EPS_SINGLE = float(np.finfo(np.float32).eps)
_MOST_CONDITION_SINGLE = 1e4


def solve(problem: Problem, method: Method, stable: Method | None, rng: RNGLike) -> Solved:
    """Run a method; one that "auto" chose may be replaced when it misses.

    Parameters
    ----------
    problem : Problem
        The checked problem.
    method : Method
        What to run.
    stable : Method or None
        What "auto" takes where the Gram matrix fails; None where the caller chose the method.
    rng : RNGLike
        Source of the sketch.

    Returns
    -------
    Solved
        The outcome with the name of what was really run.
    """
    if isinstance(method, LAPACK):
        return solve_lapack(problem)
    if isinstance(method, CGLS):
        return solve_cgls(problem)
    if isinstance(method, Gram):
        m, n = problem.A.shape
        if m < n:
            raise ValueError(
                f"method='gram' needs m >= n, got shape {(m, n)}; use method='spir' or 'lapack'"
            )
        solved = solve_gram(problem, method)
        if solved is not None:
            return solved
        if stable is None:
            raise ValueError(
                f"method='gram' needs a condition number below {method.condition_limit:.0e} after "
                "column scaling, full rank and entries that can be squared, which `A` does not "
                "have; use method='spir'"
            )
        return solve(problem, stable, stable, rng)
    assert isinstance(method, SketchedMethod)
    solved = _solve_sketched(problem, method, rng)
    outcome = solved.outcome
    missed = outcome.status is Status.STAGNATED and outcome.state.error > _MISSED * EPS
    if stable is not None and missed and fits_dense(problem.A):
        direct = solve_lapack(problem).judged(problem)
        if direct.outcome.status is Status.CONVERGED:
            return replace(direct, outcome=replace(direct.outcome, status=Status.FELL_BACK))
        if direct.outcome.state.error < outcome.state.error:
            return direct
    return solved


def _solve_sketched(problem: Problem, method: SketchedMethod, rng: RNGLike) -> Solved:
    m, n = problem.A.shape
    named = isinstance(method.sketch, str) and method.sketch_size is None
    long, short = max(m, n), min(m, n)
    if isinstance(method, SPIR) and is_damped_wide(problem.A):
        short, long = problem.A.inner.shape
    fits = m >= n or isinstance(method, SPIR)
    if named and problem.P is None and fits and long <= default_sketch_size(long, short):
        # A sketch as tall as A would only lose: A is its own best sketch.
        return solve_lapack(problem)
    return _SOLVERS[type(method)](problem, method, rng)


def _spir(problem: Problem, method: SPIR, rng: RNGLike) -> Solved:
    """Sketch, factor, start from sketch-and-solve, refine."""
    tall = problem.A.tall
    if tall is not problem.A:
        # The sketch is of the adjoint, and its factor does not depend on right-hand sides.
        if method.inner != "cg":
            raise ValueError(
                f"SPIR(inner={method.inner!r}) needs m >= n, got shape {tall.shape[::-1]} with the "
                "columns of `damp`; use inner='cg'"
            )
        turned = replace(problem, A=tall, B=np.zeros((tall.shape[0], 0), tall.dtype), X0=None)
        return solve_minimum_norm(problem, tall, sketched(turned, method, rng).P, method.name)
    surrogate = sketched(problem, method, rng)
    if method.inner == "lsqr":
        return _refined(problem, surrogate, method, lsqr)
    P = surrogate.P
    if method.inner_dtype == "float64" or not _allows_single(problem.A, P):
        return _refined(problem, surrogate, method, conjugate_gradients)
    # A round gains no more than the rounding of the copy allows.
    inner = partial(conjugate_gradients, drop=max(ROUND_DROP, _EPS_SINGLE * P.condition))
    copy = SingleNormal(problem.A, P.scale)
    states = spir(problem.A, problem.B, surrogate.X, P, problem.tolerance, inner, surrogate=copy)
    return Solved.with_preconditioner(problem.run(states), P, method.name)


def _allows_single(A: NormalOperator, P: Preconditioner) -> TypeGuard[DenseNormal | DampedNormal]:
    """Tell whether products with a copy of A in single precision are worth having."""
    double = A.stored_dtype.char in "dD"
    return A.is_dense and double and P.rank == len(P.R) and P.condition <= _MOST_CONDITION_SINGLE


def _fossils(problem: Problem, method: FOSSILS, rng: RNGLike) -> Solved:
    surrogate = sketched(problem, method, rng, _FACTOR)
    return _refined(problem, surrogate, method, partial(heavy_ball, momentum=surrogate.distortion))


def _sketch_and_precondition(
    problem: Problem, method: SketchAndPrecondition, rng: RNGLike
) -> Solved:
    surrogate = sketched(problem, method, rng)
    if method.start == "zero":
        surrogate = replace(surrogate, X=np.zeros_like(surrogate.X))
    # One solve to the end: no forward test, no restart.
    return _refined(problem, surrogate, method, partial(lsqr, drop=0.0), rounds=1)


def _refined(
    problem: Problem,
    surrogate: Surrogate,
    method: SketchedMethod,
    inner: Any,
    rounds: int | None = None,
) -> Solved:
    P = surrogate.P
    states = spir(problem.A, problem.B, surrogate.X, P, problem.tolerance, inner, rounds)
    return Solved.with_preconditioner(problem.run(states), P, method.name)


def _spne(problem: Problem, method: SPNE, rng: RNGLike) -> Solved:
    """Make the sketch's factor exact by the Gram matrix of ``W = A P``, then refine."""
    A, B = problem.A, problem.B
    surrogate = sketched(replace(problem, X0=None), method, rng)
    P, X = surrogate.P, surrogate.X
    if isinstance(P, TriangularPreconditioner):
        G, c = A.whitened(P.matmat(np.eye(A.shape[1], dtype=A.dtype)), B)
        exact = corrected(P, G)
        if exact is not None:
            X = P.matmat(np.linalg.solve(G, c))
            P = exact
    X = better_start(problem, P, X)
    return _refined(problem, replace(surrogate, P=P, X=X), method, conjugate_gradients)


def corrected(P: TriangularPreconditioner, G: Any) -> Preconditioner | None:
    """Return the preconditioner of ``L^H R`` where ``G = L L^H``; None where G is not definite."""
    try:
        L = np.linalg.cholesky(G)
    except np.linalg.LinAlgError:
        return None
    return TriangularPreconditioner(np.triu(L.conj().T @ P.R), P.scale[:, 0])


def _sirr(problem: Problem, method: SIRR, rng: RNGLike) -> Solved:
    surrogate = sketched(problem, method, rng, _FACTOR)
    P = surrogate.P
    states = sirr(
        problem.A,
        problem.B,
        surrogate.X,
        P,
        problem.tolerance,
        depth=method.depth,
        krylov=method.krylov,
    )
    return Solved.with_preconditioner(problem.run(states), P, method.name)


def _iterative_sketching(problem: Problem, method: IterativeSketching, rng: RNGLike) -> Solved:
    plain = method.variant == "plain"
    if plain:
        _check_plain(problem, method)
    surrogate = sketched(problem, method, rng, _PLAIN_FACTOR if plain else _FACTOR)
    eta = surrogate.distortion
    damping, momentum = {
        "plain": (1.0, 0.0),
        "damped": ((1 - eta) ** 2 / (1 + eta), 0.0),
        "momentum": ((1 - eta) ** 2, eta),
    }[method.variant]
    P = surrogate.P
    states = stationary(
        problem.A,
        problem.B,
        surrogate.X,
        P,
        KarlsonWalden(P),
        problem.tolerance,
        damping=damping,
        momentum=momentum,
    )
    return Solved.with_preconditioner(problem.run(states), P, method.name)


def _check_plain(problem: Problem, method: IterativeSketching) -> None:
    """Refuse sketches with which the undamped iteration diverges now and then, or always."""
    n = problem.A.shape[1]
    advice = f"use method={method.name!r}, whose default is variant='momentum'"
    if problem.P is not None:
        raise ValueError(
            "`preconditioner` is of no use to variant='plain', which needs a larger sketch than "
            f"others; {advice}"
        )
    S = method.sketch
    rows = S.shape[0] if isinstance(S, SketchingOperator) else method.sketch_size
    if rows is None:
        rows = problem.A.sketched_rows
    if rows < _PLAIN_LEAST * n <= _PLAIN_LEAST * problem.A.shape[0]:
        raise ValueError(
            f"`sketch_size` must be at least {_PLAIN_LEAST} n = {_PLAIN_LEAST * n} for "
            f"variant='plain', got {rows}; {advice}"
        )


def _sketch_and_solve(problem: Problem, method: SketchAndSolve, rng: RNGLike) -> Solved:
    P = (surrogate := sketched(problem, method, rng)).P

    def states() -> Iteration:
        certificate = KarlsonWalden(P)
        yield certified(problem.A, problem.B, surrogate.X, certificate, problem.tolerance).state(0)

    return Solved.with_preconditioner(problem.run(states()), P, method.name)


_SOLVERS: dict[type[SketchedMethod], Callable[[Problem, Any, RNGLike], Solved]] = {
    SPIR: _spir,
    SPNE: _spne,
    FOSSILS: _fossils,
    SIRR: _sirr,
    IterativeSketching: _iterative_sketching,
    SketchAndPrecondition: _sketch_and_precondition,
    SketchAndSolve: _sketch_and_solve,
}
