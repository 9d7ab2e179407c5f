"""`lstsq_refine`: check the input, choose a method, return a certified result."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rnla._core.driver import Callback
from rnla._core.results import LstsqResult
from rnla._core.rng import RNGLike, as_generator
from rnla._core.status import ConvergenceWarning, Status
from rnla.lstsq._check import Restore, check_problem
from rnla.lstsq._choose import resolve
from rnla.lstsq._defaults import RANK_CUTOFF, TOLERANCE
from rnla.lstsq._methods import Method
from rnla.lstsq._problem import Problem
from rnla.lstsq._small import is_small, plain, solve_tiny
from rnla.lstsq._solve import solve
from rnla.sketch import SketchingOperator


def lstsq_refine(
    A: Any,
    b: Any,
    *,
    damp: float = 0.0,
    weights: ArrayLike | None = None,
    x0: ArrayLike | None = None,
    rcond: float | None = None,
    method: str | Method = "auto",
    sketch: str | SketchingOperator = "sparse_sign",
    sketch_size: int | None = None,
    preconditioner: Any = None,
    rtol: float | None = None,
    maxiter: int | None = None,
    callback: Callback | None = None,
    rng: RNGLike = None,
    check_finite: bool = True,
) -> LstsqResult:
    r"""Solve least-squares problems as accurately as LAPACK, from a sketch and readings of A.

    .. math:: \min_x \; \sum_i w_i \, |b_i - a_i^T x|^2 + \mathrm{damp}^2 \|x\|^2

    A random sketch ``S A`` with a few times n rows gives a triangular factor R. It is never
    trusted for the answer: it starts and preconditions conjugate gradients on
    :math:`R^{-H} A^H A R^{-1}`, with the residual ``b - A x`` formed anew from A in every round,
    until the backward error of x is at roundoff. That error comes with the result.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        In float32, float64, complex64 or complex128; integers count as float64. Any memory
        layout, read-only and memory-mapped arrays included. Sparse formats other than CSR are
        converted once. Made for m much larger than n, or n much larger than m; every shape is
        accepted. For m < n the answer is the solution of minimum norm.
    b : array_like, shape (m,) or (m, k)
        Right-hand sides.
    damp : float, default 0
        Damping as in `scipy.sparse.linalg.lsqr`: the square root of a ridge penalty. With 0 the
        problem is plain; the larger it is, the better conditioned.
    weights : array_like, shape (m,), optional
        Row weights ``w >= 0`` of the squared residuals; default 1. A row of weight 0 does not
        count. A dense A is not copied whole for them unless m < n or LAPACK needs a copy anyway.
    x0 : array_like, shape (n,) or (n, k), optional
        First guess. It changes where the iteration starts, never what it converges to (for
        damping, too, which pulls towards zero and not towards `x0`). It costs one reading of A
        and is taken where it is better than the solution of the sketched problem. Refused by
        "sketch_and_solve", which does not iterate, and by a start from zero; not used for m < n.
    rcond : float, optional
        Singular values of the column-scaled matrix (for m < n, row-scaled) below `rcond` times
        the largest count as zero. Default: 30 times the machine epsilon of double precision.
        Larger values treat more matrices as rank deficient.
    method : str or a method object, default "auto"
        "spir" is the engine above; "spne" corrects the sketch's factor by one matrix product
        instead of iterating; "gram" refines the Cholesky factor of ``A^H A`` and accepts only
        well-conditioned A; "lapack" is Householder QR; "cgls" has no factor at all, for sparse A
        with very many columns. "sirr" and "fossils" are other stable
        engines; "iterative_sketching", "sketch_and_precondition" and "sketch_and_solve" are less
        accurate and here for comparison. `rnla.lstsq.choose_method` tells what "auto" takes. A
        method object such as ``rnla.lstsq.SPIR()`` carries its own options.
    sketch : str or SketchingOperator, default "sparse_sign"
        For methods that sketch: "sparse_sign", "count_sketch", "srht", "gaussian", "rademacher"
        or an operator of shape (d, m). Refused by the others, like `sketch_size`; "auto"
        uses both where it sketches, which `choose_method` tells, and neither with a
        `preconditioner`.
    sketch_size : int, optional
        Rows d of the sketch, n to m. Smaller is cheaper to factor and needs more iterations;
        below 2 n convergence may be slow. Default: by a cost model, 4 n to 12 n. For m < n the
        sketch is of ``A^H``, and m and n change places.
    preconditioner : Preconditioner, array_like or LinearOperator, optional
        From ``result.preconditioner`` of an earlier call with the same A or one close to it,
        weights and damping included: nothing is sketched. The certificate relies on its factor;
        that it belongs to `A` is tested on eight random vectors, so a matrix that differs in a
        few directions only may get a certificate that is too small. Or a map M of your own, of
        shape (n, n) (for m < n (m, m)), that makes the columns of ``A @ M`` (``A.T @ M``) nearly
        orthonormal, up to a common factor: an inverse factor in lower precision, say. Its n columns
        are formed, ten steps of Lanczos estimate the condition number of ``A @ M``, which may be 10
        at the most, and the certificate is good up to that factor. For "auto", "spir", "fossils",
        "sirr", "iterative_sketching" and "sketch_and_precondition".
    rtol : float, optional
        Stop when the backward error, as `LstsqResult` defines it, is at most `rtol`. Default: twice
        the machine epsilon of double precision, whatever the input's precision; then a
        rank-deficient problem also counts as solved at `rcond`, one with m < n at ten epsilons.
        For input in single precision it is reached before the solution is rounded.
    maxiter : int, optional
        Corrections allowed, 0 or more. Default 400, where 20 to 40 are usual; 4000 for "cgls".
    callback : callable, optional
        ``callback(state)`` after the first answer and every step, with ``state.n_iter``,
        ``state.error``, ``state.certified``, ``state.late`` and ``state.x``; raise
        ``StopIteration`` to stop.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the sketch, as in ``numpy.random.default_rng``. Equal seeds give equal sketches
        for any number of threads; the last bits of `x` may depend on the threads of BLAS.
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
        if ``method="gram"`` meets a matrix that is not well conditioned; if the method has no
        use for an option: the message names one that has.
        Also if an operator's product with finite numbers is NaN or infinity.
    TypeError
        If an argument has the wrong type, or an operator lacks products with its adjoint.

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
    reading of A per step, 15 to 40 for any condition number. Memory beyond A and b: at most 1.2
    times the sketch, ``d n`` numbers in double precision, which is factored where it stands, plus
    work space of a few MiB; a second copy of the sketch for operators, input in single precision,
    `damp`, a sketch of your own and where d is no multiple of n. A sparse A is copied where it is
    not CSR, with `weights`, and for m < n. Input in single precision is read as it is and
    accumulated in double precision.

    Cost of "gram" for a sparse A: one product of two entries for every pair in a row, and
    ``n^3 / 3`` flops; "auto" tries it first where a sketch would cost four times that.

    For a sparse A, "auto" takes no method that needs more than 4 GiB: from 7800 columns on there is
    no sketch, from 10,000 on no Gram matrix, and "cgls" iterates without a factor. It needs about
    as many steps as the condition number of the column-scaled A says, and its certificate, from
    products with A alone, is an upper bound.

    Columns are scaled to equal norm first, by powers of two and without copying A; rank is decided
    on the scaled matrix. When it is deficient, the solution is orthogonal to the null space; with
    columns of very different size that null space itself is only as certain as `rcond` makes it.

    For m < n, "spir" sketches ``A^H`` and finds ``x = A^H y`` from
    :math:`R^{-H} A A^H R^{-1} w = R^{-H} b`, :math:`y = R^{-1} w`, again in rounds with ``b - A x``
    formed anew; from the second on the correction is damped, without which the residual would
    stay above roundoff by the square of the condition number. Rows are scaled, which does not
    change the solution. "lapack" does the same with the factor of ``A^H`` itself; the other
    methods need m >= n, or `damp` above 0, when they work on the tall ``[A; damp I]``. With `damp`,
    these two find the vector (x, z) of minimum norm with ``A x + damp z = b``, which is the same
    problem, and certify that; a sparse A stays sparse. Weights cost a copy of A.

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
        and weights is None
        and x0 is None
        and preconditioner is None
        and type(damp) in (int, float)
        and damp == 0
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
        tiny = solve_tiny(A, b, RANK_CUTOFF, TOLERANCE)
        if tiny is not None:
            return tiny
    if rng is not None:
        as_generator(rng)
    problem, restore = check_problem(
        A,
        b,
        damp=damp,
        weights=weights,
        x0=x0,
        rcond=RANK_CUTOFF if rcond is None else rcond,
        preconditioner=preconditioner,
        tolerance=TOLERANCE if rtol is None else rtol,
        maxiter=maxiter,
        callback=callback,
        check_finite=check_finite,
    )
    chosen, stable = resolve(method, problem, sketch, sketch_size)
    if problem.B.shape[1] == 0 or 0 in problem.A.shape:
        return _empty(problem, chosen, restore)
    solved = solve(problem, chosen, stable, rng).judged(problem)
    state, status = solved.outcome.state, solved.outcome.status
    if not np.isfinite(state.error):
        problem.A.check_finite()
    x = restore.solution(state.x)
    error, kept = restore.certificate(state, x, problem.tolerance)
    if status.met_tolerance and not kept:
        status = Status.OUT_OF_RANGE
    if not status.met_tolerance and not error <= problem.tolerance:
        warnings.warn(
            f"backward error {error:.1e} is above rtol={problem.tolerance:.1e}: {status.value}",
            ConvergenceWarning,
            stacklevel=2,
        )
    assert state.residual_norm is not None  # the driver returns certified states only
    return LstsqResult(
        x=x,
        status=status,
        method=solved.method,
        backward_error=error,
        residual_norm=restore.norms(state.residual_norm),
        rank=solved.rank,
        condition=solved.condition,
        n_iter=solved.outcome.n_iter,
        n_matvec=problem.A.n_matvec,
        n_passes=problem.A.n_passes,
        history=solved.outcome.history,
        preconditioner=solved.preconditioner,
    )


def _empty(problem: Problem, method: Method, restore: Restore) -> LstsqResult:
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
