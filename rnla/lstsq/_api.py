"""`lstsq_refine`: check the input, choose a method, return a certified result."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import (
    as_inexact,
    check_finite_array,
    check_int,
    check_positive_float,
)
from rnla._core.driver import Callback
from rnla._core.results import LstsqResult
from rnla._core.rng import RNGLike, as_generator
from rnla._core.status import ConvergenceWarning, Status
from rnla.linalg.normal import NormalOperator, as_normal
from rnla.linalg.precondition import column_scale
from rnla.lstsq._choose import choose, choose_stable
from rnla.lstsq._methods import LAPACK, SPIR, Gram, Method
from rnla.lstsq._small import is_small, plain, solve_tiny
from rnla.lstsq._solve import Problem, Solved, fits_dense, solve_gram, solve_lapack, solve_spir
from rnla.sketch import SketchingOperator

_EPS = float(np.finfo(np.float64).eps)
# The default certificate: a few units of roundoff, where LAPACK's own answers lie.
_ROUNDOFFS = 2
_RANK_ROUNDOFFS = 30
_MAXITER = 400
_MISSED = 25
_EXTREME = 1e100


def lstsq_refine(
    A: Any,
    b: Any,
    *,
    rcond: float | None = None,
    method: str | Method = "auto",
    sketch: str | SketchingOperator = "sparse_sign",
    sketch_size: int | None = None,
    rtol: float | None = None,
    maxiter: int | None = None,
    callback: Callback | None = None,
    rng: RNGLike = None,
    check_finite: bool = True,
) -> LstsqResult:
    r"""Solve ``min ||b - A x||`` as accurately as LAPACK, from a sketch and a few readings of A.

    A random sketch ``S A`` with a few times n rows gives a triangular factor R. It is never
    trusted for the answer: it starts and preconditions conjugate gradients on
    :math:`R^{-H} A^H A R^{-1}`, with the residual ``b - A x`` formed anew from A in every round,
    until the backward error of x is at roundoff. That error comes with the result.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        In float32, float64, complex64 or complex128; integers count as float64. Any memory
        layout, read-only and memory-mapped arrays included. Sparse formats other than CSR are
        converted once. Made for m much larger than n; every shape is accepted.
    b : array_like, shape (m,) or (m, k)
        Right-hand sides.
    rcond : float, optional
        Singular values of the column-scaled matrix below `rcond` times the largest count as
        zero. Default: 30 times the machine epsilon of double precision. Larger values treat more
        matrices as rank deficient.
    method : {"auto", "spir", "gram", "lapack"} or SPIR, Gram, LAPACK, default "auto"
        "spir" is the engine above; "gram" refines the Cholesky factor of ``A^H A`` and accepts
        only well-conditioned A; "lapack" is Householder QR. `rnla.lstsq.choose_method` tells what
        "auto" takes. A method object carries its own options.
    sketch : str or SketchingOperator, default "sparse_sign"
        For "spir": "sparse_sign", "count_sketch", "srht", "gaussian", "rademacher" or an operator
        of shape (d, m).
    sketch_size : int, optional
        Rows d of the sketch, n to m. Smaller is cheaper to factor and needs more iterations;
        below 2 n convergence may be slow. Default: by a cost model, 4 n to 12 n.
    rtol : float, optional
        Stop when the backward error, as `LstsqResult` defines it, is at most `rtol`. Default: twice
        the machine epsilon of double precision, whatever the input's precision. A rank-deficient
        problem, or one with m < n, also counts as solved at `rcond` or ten epsilons, whichever
        is larger.
    maxiter : int, optional
        Corrections allowed, 0 or more. Default 400; 20 to 40 are usual.
    callback : callable, optional
        ``callback(state)`` after the first answer and every step, with ``state.n_iter``,
        ``state.error``, ``state.certified`` and ``state.x``; raise ``StopIteration`` to stop.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the sketch, as in ``numpy.random.default_rng``. Equal seeds give equal results,
        for any number of threads.
    check_finite : bool, default True
        Refuse NaN and infinity in `b`; in `A` they always are, because the sketch shows them.

    Returns
    -------
    LstsqResult
        With ``x`` of shape (n,) or (n, k) in the precision of the input, ``status``,
        ``backward_error``, ``residual_norm``, ``rank``, ``n_passes`` and more.

    Raises
    ------
    ValueError
        If shapes do not fit, `A` or `b` holds NaN or infinity, or an option is out of range;
        if ``method="gram"`` meets a matrix that is not well conditioned.
    TypeError
        If an argument has the wrong type.

    Warns
    -----
    ConvergenceWarning
        If the certificate of the returned answer is above the tolerance.

    See Also
    --------
    rnla.lstsq.choose_method : What "auto" would run.
    rnla.lstsq.backward_error : The certificate of anyone's x.
    numpy.linalg.lstsq : LAPACK's SVD-based solver.

    Notes
    -----
    Cost of "spir": one sketch (3 to 6 readings of A), ``2 d n^2`` flops for its factor, and one
    reading of A per step, 15 to 40 for any condition number. Memory beyond A: the sketch twice,
    ``d n`` numbers each, and ``O(n^2)``. Input in single precision is read as it is and
    accumulated in double precision.

    Columns are scaled to equal norm first, by powers of two and without copying A; rank is decided
    on the scaled matrix. When it is deficient, the solution is orthogonal to the null space; with
    columns of very different size that null space itself is only as certain as `rcond` makes it.

    It gains nothing over LAPACK when m is not several times n or the matrix is small: "auto" then
    takes LAPACK.

    References
    ----------
    .. [1] E. N. Epperly, M. Meier, Y. Nakatsukasa, "Fast randomized least-squares solvers can be
       just as accurate and stable as classical direct solvers", arXiv:2406.03468.
    .. [2] R. Xu, Y. Lu, "Randomized iterative solver as iterative refinement: a simple fix towards
       backward stability", AISTATS 2025, arXiv:2410.11115.

    Examples
    --------
    >>> import numpy as np
    >>> import rnla
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((20_000, 50)) @ np.diag(np.logspace(0, -8, 50))
    >>> b = A @ np.ones(50) + 1e-3 * rng.standard_normal(20_000)
    >>> result = rnla.lstsq_refine(A, b, rng=1)
    >>> result.success, result.backward_error < 1e-15
    (True, True)
    """
    if (
        plain(A, 2)
        and plain(b, 1)
        and len(b) == len(A)
        and is_small(*A.shape)
        and rcond is None
        and rtol is None
        and sketch_size is None
        and maxiter is None
        and callback is None
        and (rng is None or (type(rng) is int and rng >= 0))
        and isinstance(method, str)
        and method == "auto"
        and isinstance(sketch, str)
        and sketch == "sparse_sign"
    ):
        # The general path would take ten times as long as a tiny problem itself.
        tiny = solve_tiny(A, b, _RANK_ROUNDOFFS * _EPS, _ROUNDOFFS * _EPS)
        if tiny is not None:
            return tiny
    problem, restore = _check(A, b, rcond, rtol, maxiter, callback, rng, check_finite)
    chosen, automatic = _resolve(method, problem.A, sketch, sketch_size)
    if problem.B.shape[1] == 0 or 0 in problem.A.shape:
        return _empty(problem, chosen, restore)
    solved = _solve(problem, chosen, automatic, sketch, sketch_size, rng).judged(problem.rcond)
    state, status = solved.outcome.state, solved.outcome.status
    if not np.isfinite(state.error):
        problem.A.check_finite()
    if not status.met_tolerance and not state.error <= problem.tolerance:
        warnings.warn(
            f"backward error {state.error:.1e} is above rtol={problem.tolerance:.1e}: "
            f"{status.value}",
            ConvergenceWarning,
            stacklevel=2,
        )
    assert state.residual_norm is not None  # the driver returns certified states only
    return LstsqResult(
        x=restore.solution(state.x),
        status=status,
        method=solved.method,
        backward_error=state.error,
        residual_norm=restore.norms(state.residual_norm),
        rank=solved.rank,
        condition=solved.condition,
        n_iter=solved.outcome.n_iter,
        n_matvec=problem.A.n_matvec,
        n_passes=problem.A.n_passes,
        history=solved.outcome.history,
        preconditioner=solved.preconditioner,
    )


def _check(
    A: Any,
    b: Any,
    rcond: float | None,
    rtol: float | None,
    maxiter: int | None,
    callback: Callback | None,
    rng: RNGLike,
    check_finite: bool,
) -> tuple[Problem, _Restore]:
    normal = as_normal(A)
    B = as_inexact(b, "b")
    if B.ndim not in (1, 2) or B.shape[0] != normal.shape[0]:
        raise ValueError(
            f"`b` must have shape ({normal.shape[0]},) or ({normal.shape[0]}, k) to go with `A` "
            f"of shape {normal.shape}, got {B.shape}"
        )
    if check_finite:
        check_finite_array(B, "b")
    if rng is not None:
        as_generator(rng)
    if callback is not None and not callable(callback):
        raise TypeError(f"`callback` must be callable, got {callback!r}")
    restore = _Restore(normal, B)
    problem = Problem(
        A=normal,
        B=restore.working(B),
        rcond=_RANK_ROUNDOFFS * _EPS
        if rcond is None
        else check_positive_float(rcond, "rcond", below=1.0),
        tolerance=_ROUNDOFFS * _EPS
        if rtol is None
        else check_positive_float(rtol, "rtol", below=1.0),
        maxiter=_MAXITER if maxiter is None else check_int(maxiter, "maxiter", 0),
        callback=callback,
    )
    return problem, restore


class _Restore:
    """How the caller's right-hand sides became columns, and how solutions go back."""

    def __init__(self, A: NormalOperator, B: NDArray[Any]) -> None:
        self.vector = B.ndim == 1
        self.split = B.dtype.kind == "c" and A.dtype.kind != "c"
        self.dtype = np.result_type(A.stored_dtype, B.dtype)
        self.working_dtype = A.dtype
        self.unit: Any = 1.0

    def working(self, B: NDArray[Any]) -> NDArray[Any]:
        columns = B[:, None] if B.ndim == 1 else B
        if self.split:
            columns = np.hstack([columns.real, columns.imag])
        columns = columns.astype(self.working_dtype, copy=False)
        largest = np.abs(columns).max(axis=0, initial=0.0)
        extreme = (largest > 0) & ~((largest > 1 / _EXTREME) & (largest < _EXTREME))
        if extreme.any():
            # Powers of two, so exact: squares of extreme numbers leave the range.
            self.unit = np.where(extreme, 1 / column_scale(largest), 1.0)
            columns = columns / self.unit
        return columns

    def solution(self, X: NDArray[Any]) -> NDArray[Any]:
        X = X * self.unit
        if self.split:
            half = X.shape[1] // 2
            X = X[:, :half] + 1j * X[:, half:]
        return (X[:, 0] if self.vector else X).astype(self.dtype)

    def norms(self, norms: NDArray[np.float64]) -> Any:
        norms = norms * self.unit
        if self.split:
            half = len(norms) // 2
            norms = np.hypot(norms[:half], norms[half:])
        return float(norms[0]) if self.vector else norms


def _resolve(
    method: Any,
    A: NormalOperator,
    sketch: str | SketchingOperator,
    sketch_size: int | None,
) -> tuple[Method, bool]:
    if isinstance(method, SPIR | Gram | LAPACK):
        if sketch_size is not None or not (isinstance(sketch, str) and sketch == "sparse_sign"):
            raise ValueError(
                "`sketch` and `sketch_size` must be left out when `method` is an object, which "
                "carries its own options"
            )
        return method, False
    spir = SPIR(sketch=sketch, sketch_size=sketch_size)
    named: dict[str, Method] = {"spir": spir, "gram": Gram(), "lapack": LAPACK()}
    # `method` may be anything a caller passes, an array for one.
    name = method if isinstance(method, str) else repr(method)
    if name in named:
        return named[name], False
    if name != "auto":
        raise ValueError(
            f"`method` must be 'auto', 'spir', 'gram', 'lapack' or a method object, got {method!r}"
        )
    return choose(A, sketch, sketch_size).method, True


def _solve(
    problem: Problem,
    method: Method,
    automatic: bool,
    sketch: str | SketchingOperator,
    sketch_size: int | None,
    rng: RNGLike,
) -> Solved:
    if isinstance(method, LAPACK):
        return solve_lapack(problem)
    if isinstance(method, Gram):
        solved = solve_gram(problem, method)
        if solved is not None:
            return solved
        if not automatic:
            raise ValueError(
                f"method='gram' needs a condition number below {method.condition_limit:.0e} after "
                "column scaling, full rank and entries that can be squared, which `A` does not "
                "have; use method='spir'"
            )
        method = choose_stable(problem.A, sketch, sketch_size).method
        if isinstance(method, LAPACK):
            return solve_lapack(problem)
    assert isinstance(method, SPIR)
    solved = solve_spir(problem, method, rng)
    outcome = solved.outcome
    missed = outcome.status is Status.STAGNATED and outcome.state.error > _MISSED * _EPS
    if automatic and missed and fits_dense(problem.A):
        direct = solve_lapack(problem).judged(problem.rcond)
        if direct.outcome.status is Status.CONVERGED:
            return replace(direct, outcome=replace(direct.outcome, status=Status.FELL_BACK))
        if direct.outcome.state.error < outcome.state.error:
            return direct
    return solved


def _empty(problem: Problem, method: Method, restore: _Restore) -> LstsqResult:
    # Without rows, columns or right-hand sides there is nothing to solve: x = 0 is exact.
    B = problem.B
    return LstsqResult(
        x=restore.solution(np.zeros((problem.A.shape[1], B.shape[1]), B.dtype)),
        status=Status.CONVERGED,
        method=method.name,
        backward_error=0.0,
        residual_norm=restore.norms(np.linalg.norm(B, axis=0)),
        rank=0,
        condition=np.nan,
        n_iter=0,
        n_matvec=0,
        n_passes=0,
        history=np.zeros(1),
        preconditioner=None,
    )
