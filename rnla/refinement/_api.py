"""`refine`: check the input, iterate, return a certified result."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import as_inexact, check_finite_array, check_int, check_positive_float
from rnla._core.driver import Callback, Iteration, run
from rnla._core.status import ConvergenceWarning
from rnla.refinement._columns import Columns
from rnla.refinement._equations import Equation, Linear, as_equation
from rnla.refinement._iterations import fixed_point
from rnla.refinement._krylov import krylov
from rnla.refinement._problem import Problem, Round
from rnla.refinement._report import report
from rnla.refinement._result import RefineResult
from rnla.refinement._solvers import as_solver

_ROUNDOFFS = 1
# An operator may round more than one product of a matrix does, and its norm is underestimated.
_OPERATOR_ROUNDOFFS = 10
_MAXITER = 400
_MEMORY = {"anderson": 5, "krylov": 20}


def refine(
    A: Any,
    b: Any,
    approximate_solver: Any,
    *,
    x0: Any = None,
    rtol: float | None = None,
    maxiter: int | None = None,
    acceleration: str | None = None,
    memory: int | None = None,
    callback: Callback | None = None,
    check_finite: bool = True,
) -> RefineResult:
    r"""Solve ``A x = b`` or ``F(x) = b`` accurately with a solver B that is only approximate.

    From ``x = B(b)`` on, the residual is formed from the true equation and B corrects:

    .. math:: x \leftarrow x + B(b - A x), \qquad x - x_* \leftarrow (I - B A)(x - x_*).

    B decides how fast this converges, not where to: the answer is as accurate as the residual.

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator or callable
        A linear map of shape (m, n), or a callable F that maps x of shape (n,) to the shape of
        `b`. In float32, float64, complex64 or complex128; integers count as float64.
    b : array_like, shape (m,) or (m, k)
        Right-hand sides; shape (m,) for a callable.
    approximate_solver : callable, LinearOperator, object with ``solve`` or ``predict``, or tuple
        The map B from residuals to corrections, in any precision: a callable that takes a
        residual of shape (m,) and returns shape (n,); an operator of shape (n, m) that applies
        an approximate inverse; an object with ``solve(r)`` such as that of
        `scipy.sparse.linalg.splu` or `scipy.sparse.linalg.spilu`; the tuple that
        `scipy.linalg.lu_factor` or `scipy.linalg.cho_factor` returns; a fitted regressor whose
        ``predict`` maps residuals in rows, (k, m), to corrections in rows, (k, n). Its value at
        zero is subtracted, so that an intercept does no harm.
    x0 : array_like, optional
        First iterate, of shape (n,) or (n, k) like `b`. Default ``B(b)``. For linear A a
        right-hand side of zeros has the answer zero whatever is given.
    rtol : float, optional
        Stop when the certificate is at most `rtol`; see Notes for what is certified. Default: with
        eps the machine epsilon of the working precision, ``eps`` for a matrix, ``10 * eps``
        for a LinearOperator, ``eps**(2/3)`` for a callable. With 0 it goes on until nothing is
        gained, and warns.
    maxiter : int, optional
        Corrections allowed after the first iterate, 0 or more; inner steps for "krylov".
        Default 400.
    acceleration : {None, "anderson", "krylov"}, optional
        None is the iteration above, which needs the spectral radius of ``I - B A`` below one.
        "anderson" combines former steps (type II) and serves linear and nonlinear equations.
        "krylov" is flexible GMRES preconditioned by B, its residual formed anew in each cycle; it
        is for linear A and converges with most B.
    memory : int, optional
        Former steps that "anderson" combines (default 5), or steps of a cycle of "krylov"
        (default 20); at least 1. Memory is that many vectors of length m and n for each
        right-hand side.
    callback : callable, optional
        ``callback(state)`` after the first iterate and every correction, with ``state.n_iter``,
        ``state.error``, ``state.certified`` and ``state.x``; raise ``StopIteration`` to stop.
    check_finite : bool, default True
        Refuse NaN and infinity in `b` and `x0`; in `A` they show in its norm.

    Returns
    -------
    RefineResult
        With ``x``, ``status``, ``certificate``, ``backward_error``, ``residual_norm``,
        ``contraction``, ``n_solves`` and more.

    Raises
    ------
    ValueError
        If shapes do not fit, an array holds NaN or infinity, or an option is out of range.
    TypeError
        If an argument has the wrong type, or it is not clear how to apply `approximate_solver`.
    numpy.linalg.LinAlgError
        If the approximate solver or F returns NaN or infinity for the first iterate. Later on the
        iteration ends instead and the best iterate is returned.

    Warns
    -----
    ConvergenceWarning
        If the certificate of the returned iterate is above the tolerance.

    See Also
    --------
    rnla.lstsq_refine : Refinement for least-squares problems, with a sketch as surrogate.
    scipy.sparse.linalg.gmres : Krylov solver whose residual is a recursion.

    Notes
    -----
    What is certified. For linear A, the normwise backward error of Rigal and Gaches [1]_,

    .. math:: \eta = \frac{\|b - A x\|}{\|A\|\,\|x\| + \|b\|},

    the smallest relative change of A and b after which x is exact. ``||A||`` is the Frobenius
    norm where entries are at hand. For a LinearOperator it is a lower bound of the 2-norm from six
    power steps (one, if A is not square), so the certificate is rather too large than too small;
    ``result.certificate`` says that it was estimated. For a callable the certificate is
    ``||b - F(x)|| / ||b||``, or that over the first residual if b = 0; this does not bound the
    error of x. All are computed in the working precision, the common one of `A`, `b` and `x0`:
    float32 input is refined to the epsilon of float32. To refine a float32 factorization to double
    precision, pass `A` in float64.

    A rectangular A is accepted, with a B of shape (n, m). What is certified is that ``A x = b``
    holds; if that has no solution no certificate can tell, the iteration ends as stagnated, and
    `rnla.lstsq_refine` is what minimises the residual.

    The cost of a correction is one product with A and one application of B per unsolved
    right-hand side. For linear A the residual is handed to B scaled by a power of two: to norm one
    for a factorization, to the size of b for anything else, as an approximation that is not linear
    is good at the size that it was made for. For a nonlinear F, B should approximate the inverse
    of the derivative of F, with ``B(0) = 0``.

    When it fails: plain refinement diverges if the spectral radius of ``I - B A`` exceeds one. It
    stops when the residual has grown by 1e4 or the certificate has not fallen for 20 corrections,
    and returns the iterate with the smallest residual. A certificate at roundoff leaves a forward
    error of up to ``cond(A)`` times as much. Complex right-hand sides of a real A are solved as
    real and imaginary parts.

    References
    ----------
    .. [1] J. L. Rigal, J. Gaches, "On the compatibility of a given solution with the data of a
       linear system", J. ACM 14 (1967), 543-548.
    .. [2] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM (2002),
       chapter 12.
    .. [3] E. Carson, N. J. Higham, "Accelerating the solution of linear systems by iterative
       refinement in three precisions", SIAM J. Sci. Comput. 40 (2018), A817-A847.
    .. [4] H. J. Stetter, "The defect correction principle and discretization methods", Numer.
       Math. 29 (1978), 425-443.

    Examples
    --------
    A factorization in single precision gives an answer in double precision:

    >>> import numpy as np
    >>> import rnla
    >>> from scipy.linalg import lu_factor
    >>> rng = np.random.default_rng(0)
    >>> A, b = rng.standard_normal((100, 100)), rng.standard_normal(100)
    >>> result = rnla.refine(A, b, lu_factor(A.astype(np.float32)))
    >>> result.success, result.backward_error < 1e-15, result.contraction < 1e-3
    (True, True, True)

    A nonlinear equation, with the inverse of its linear part:

    >>> result = rnla.refine(lambda x: A @ x + x**3, b / 100, lu_factor(A))
    >>> result.success, result.certificate
    (True, 'relative residual')
    """
    equation = as_equation(A)
    columns, X = _check(equation, b, x0, check_finite)
    options = _Options.check(equation, columns.working, rtol, maxiter, acceleration, memory)
    if callback is not None and not callable(callback):
        raise TypeError(f"`callback` must be callable, got {callback!r}")
    solver = as_solver(approximate_solver, equation.shape)
    if isinstance(equation, Linear):
        equation.prepare(columns.working)
    elif X is not None:
        solver.n = len(X)
    problem = Problem(
        equation, solver, columns.B, columns.unit, options.tolerance, columns.solution
    )
    if columns.B.size == 0 or (equation.shape is not None and 0 in equation.shape):
        iteration = _nothing_to_do(problem, X)
    else:
        iteration = options.iterate(problem, problem.start(X))
    outcome = run(
        iteration, tolerance=options.tolerance, maxiter=options.maxiter, callback=callback
    )
    if not outcome.state.error <= options.tolerance:
        # Of two wrong answers a huge x may have the smaller backward error.
        assert problem.least is not None
        outcome = replace(outcome, state=problem.least)
    result = report(problem, columns, outcome)
    if not result.success and not outcome.state.error <= options.tolerance:
        warnings.warn(
            f"{result.certificate} {outcome.state.error:.1e} is above "
            f"rtol={options.tolerance:.1e}: {result.message}",
            ConvergenceWarning,
            stacklevel=2,
        )
    return result


def _check(
    equation: Equation, b: Any, x0: Any, check_finite: bool
) -> tuple[Columns, NDArray[Any] | None]:
    b = as_inexact(b, "b")
    start = None if x0 is None else as_inexact(x0, "x0")
    _check_shapes(equation, b, start)
    if check_finite:
        check_finite_array(b, "b")
        if start is not None:
            check_finite_array(start, "x0")
    given = [b.dtype] if start is None else [b.dtype, start.dtype]
    real = False
    if isinstance(equation, Linear):
        given.append(equation.dtype)
        real = equation.dtype.kind != "c"
    columns = Columns(b, np.result_type(*given), real=real, scaled=equation.linear)
    return columns, None if start is None else columns.scale(start)


def _check_shapes(equation: Equation, b: NDArray[Any], x0: NDArray[Any] | None) -> None:
    if isinstance(equation, Linear):
        m, n = equation.shape
        if b.ndim not in (1, 2) or b.shape[0] != m:
            raise ValueError(
                f"`b` must have shape ({m},) or ({m}, k) to go with `A` of shape {(m, n)}, "
                f"got {b.shape}"
            )
        if x0 is not None and x0.shape != (n, *b.shape[1:]):
            raise ValueError(
                f"`x0` must have shape {(n, *b.shape[1:])} to go with `A` of shape {(m, n)} and "
                f"`b` of shape {b.shape}, got {x0.shape}"
            )
        return
    if b.ndim != 1:
        raise ValueError(f"`b` must have shape (m,) where `A` is callable, got {b.shape}")
    if x0 is not None and x0.ndim != 1:
        raise ValueError(f"`x0` must have shape (n,) where `A` is callable, got {x0.shape}")


@dataclass(frozen=True)
class _Options:
    tolerance: float
    maxiter: int
    iterate: Callable[[Problem, Round], Iteration]

    @classmethod
    def check(
        cls,
        equation: Equation,
        dtype: np.dtype[Any],
        rtol: float | None,
        maxiter: int | None,
        acceleration: Any,
        memory: int | None,
    ) -> _Options:
        if acceleration is not None and not (
            isinstance(acceleration, str) and acceleration in _MEMORY
        ):
            raise ValueError(
                f"`acceleration` must be None, 'anderson' or 'krylov', got {acceleration!r}"
            )
        if acceleration == "krylov" and not equation.linear:
            raise ValueError("acceleration='krylov' needs a linear `A`; use 'anderson'")
        if acceleration is None and memory is not None:
            raise ValueError("`memory` must be left out where `acceleration` is None")
        size = 0
        if acceleration is not None:
            size = _MEMORY[acceleration] if memory is None else check_int(memory, "memory", 1)
        method = krylov if acceleration == "krylov" else fixed_point
        return cls(
            tolerance=_default_rtol(equation, dtype)
            if rtol is None
            else check_positive_float(rtol, "rtol", below=1.0),
            maxiter=_MAXITER if maxiter is None else check_int(maxiter, "maxiter", 0),
            iterate=lambda problem, first: method(problem, first, size),
        )


def _default_rtol(equation: Equation, dtype: np.dtype[Any]) -> float:
    eps = float(np.finfo(dtype).eps)
    if isinstance(equation, Linear):
        return (_ROUNDOFFS if equation.entries is not None else _OPERATOR_ROUNDOFFS) * eps
    # How much F rounds is unknown: a Laplacian alone loses eps times its condition number.
    return float(eps ** (2 / 3))


def _nothing_to_do(problem: Problem, X: NDArray[Any] | None) -> Iteration:
    # Without rows, columns or right-hand sides x = 0 is as good as any.
    if X is None:
        n = 0 if problem.equation.shape is None else problem.equation.shape[1]
        X = np.zeros((n, problem.B.shape[1]), problem.B.dtype)
    errors = np.where(problem.b_norm > 0, 1.0, 0.0)
    yield problem.state(0, Round(X, problem.B, problem.b_norm, errors))
