"""`newton_sketch`: check the input, run Newton's method, return a certified result."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import as_inexact, check_finite_array, check_int, check_positive_float
from rnla._core.driver import Callback, run
from rnla._core.rng import RNGLike, as_generator
from rnla._core.status import ConvergenceWarning, Status
from rnla.lstsq._newton_iterations import ACCEPTED, AIM, NewtonState, newton
from rnla.lstsq._newton_problem import Function, Problem, Vector
from rnla.lstsq._newton_result import NewtonResult, advice
from rnla.lstsq._newton_surrogate import Surrogate
from rnla.sketch import SKETCHES

_METHODS = ("sketch", "subsample", "exact")
_SKETCH_FACTOR = 6
_MAXITER = 100


def newton_sketch(
    gradient: Function,
    hessian_root: Function,
    x0: Any,
    *,
    objective: Function | None = None,
    damp: Any = 0.0,
    method: str = "sketch",
    sketch: str = "sparse_sign",
    sketch_size: int | None = None,
    rtol: float | None = None,
    maxiter: int | None = None,
    callback: Callback | None = None,
    rng: RNGLike = None,
) -> NewtonResult:
    r"""Minimise a smooth convex function by Newton's method with a sketched Hessian root.

    Solves :math:`\min_x F(x) = f(x) + \tfrac12 \|D x\|^2`, ``D = diag(damp)``, where the Hessian of
    f is known as a square root with many rows: :math:`\nabla^2 f(x) = B(x)^T B(x)`. For a
    generalised linear model :math:`f(x) = \sum_i \varphi_i(a_i^T x)` it is
    :math:`B(x) = \mathrm{diag}(\sqrt{\varphi_i''(a_i^T x)})\, A`. The sketch of B is never trusted
    for the answer: its QR factor preconditions conjugate gradients on the Newton equations
    :math:`(B^T B + D^2)\,\Delta x = -\nabla F(x)` of the true Hessian and the true gradient.

    Parameters
    ----------
    gradient : callable
        ``gradient(x)`` returns the gradient of f, shape (n,), without the penalty. The answer is as
        accurate as this function.
    hessian_root : callable
        ``hessian_root(x)`` returns B, shape (N, n): real, an array or a sparse matrix; formats
        other than CSR are converted each time. It may hold rows of further convex terms.
    x0 : array_like, shape (n,)
        Start. In float32 or float64, which is the precision of all iterates; integers count as
        float64. The functions are called with read-only arrays.
    objective : callable, optional
        ``objective(x)`` returns f(x), a number; where a trial step leaves the domain, infinity or
        NaN. Without it, steps are judged by the slope alone, and the first Newton decrement stands
        in for ``sqrt(2 |F|)`` in the certificate, which a start at the optimum makes too strict.
    damp : float or array_like, shape (n,), default 0
        Penalty ``damp**2 / 2 * ||x||**2``, as in ridge regression, with one number for each entry
        of x if it is an array: 0 leaves an intercept free. It enters function, gradient and
        Hessian, so the callables do not change with it.
    method : {"sketch", "subsample", "exact"}, default "sketch"
        Where the preconditioner comes from: a random sketch of B, a sample of its rows by their
        norm after column scaling, or QR of B itself. All three reach the same answer.
    sketch : {"sparse_sign", "count_sketch", "srht", "gaussian", "rademacher"}, optional
        Family of the sketch for ``method="sketch"``.
    sketch_size : int, optional
        Rows of the sketch or sample, at least n. Default: 6 n. Smaller ones are cheaper to factor
        and take more products. A root with no more rows than that is factored itself.
    rtol : float, optional
        Stop at a Newton decrement :math:`\lambda \le \mathrm{rtol}\sqrt{2|F|} + \epsilon\sum_j
        \|h_j\||x_j|`; near the optimum that is ``F(x) - min F <= rtol**2 |F|`` but for rounding.
        Here :math:`h_j` are the columns of ``[B; D]`` and :math:`\epsilon` the machine epsilon of
        the precision of x and gradient. Default: as far as rounding lets the decrement fall;
        success is then 1000 epsilons or less, usually one or two.
    maxiter : int, optional
        Newton steps allowed, 0 or more. Default 100; 5 to 20 are usual.
    callback : callable, optional
        ``callback(state)`` at the start and after every step, with ``state.n_iter``,
        ``state.error`` (the relative decrement), ``state.x``, ``state.objective``,
        ``state.decrement`` and ``state.gradient_norm``; raise ``StopIteration`` to stop.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the sketches, as in ``numpy.random.default_rng``.

    Returns
    -------
    NewtonResult
        With ``x`` and its certificate, ``status``, counts and ``history``.

    Raises
    ------
    ValueError
        If a shape does not fit, an option is out of range, or a function returns NaN or infinity
        where it must not: any of them at the start, gradient and root at every step.
    TypeError
        If an argument or what a function returns has the wrong type.

    Warns
    -----
    ConvergenceWarning
        If the certificate of the returned answer is above the tolerance.

    See Also
    --------
    rnla.lstsq_refine : For least squares, where F is quadratic.
    scipy.optimize.minimize : General functions.

    Notes
    -----
    The first conjugate-gradient iterate is the step of the Newton sketch [1]_ (of sub-sampled
    Newton [2]_ for a sample of rows), up to its length. Stopping there gives linear convergence at
    a rate set by the sketch. More iterates, up to the relative residual of Eisenstat and Walker,
    give superlinear convergence and an answer that does not depend on the sketch. The step length
    is 1 near the optimum and found by backtracking before. Where the function changes less than it
    is rounded, only gradients judge: so the accuracy is that of the gradient, not its square root.

    Each step costs one call of each function (and one of `objective` for every halving), one
    reading of B for column norms, and ``4 N n`` flops for each of 2 to 20 products with
    the Hessian. A sketch (3 to 6 readings of B) and its QR factor, ``2 (sketch_size + n) n**2``
    flops, come on top when steps were shortened or the last factor had become slow. Memory beyond
    B: the sketch twice and ``O(n**2)``.

    Columns are scaled to equal norm, so units do not matter. Along directions without curvature,
    as repeated columns have, x stays nearly where the start put it.

    It fails where the optimum lies at infinity, as in logistic regression on separable data
    without damping: the certificate then stops falling, and `status` says so. Functions that do
    not belong together end in the same way, or in slow convergence. There is neither a step nor a
    certificate where B and `damp` vanish. It gains little over ``method="exact"`` when N is not
    several times n.

    References
    ----------
    .. [1] M. Pilanci, M. J. Wainwright, "Newton sketch: a near linear-time optimization algorithm
       with linear-quadratic convergence", SIAM J. Optim. 27 (2017), 205-245, arXiv:1505.02250.
    .. [2] F. Roosta-Khorasani, M. W. Mahoney, "Sub-sampled Newton methods", Math. Program. 174
       (2019), 293-326, arXiv:1601.04737.

    Examples
    --------
    Logistic regression with labels ``s`` of -1 and 1:

    >>> import numpy as np
    >>> from scipy.special import expit
    >>> from rnla.lstsq import newton_sketch
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((5_000, 20))
    >>> s = np.where(rng.random(5_000) < expit(A @ np.ones(20)), 1.0, -1.0)
    >>> result = newton_sketch(
    ...     lambda x: -A.T @ (s * expit(-s * (A @ x))),
    ...     lambda x: np.sqrt(expit(A @ x) * expit(-A @ x))[:, None] * A,
    ...     np.zeros(20),
    ...     objective=lambda x: np.logaddexp(0, -s * (A @ x)).sum(),
    ...     damp=1.0,
    ...     rng=1,
    ... )
    >>> result.success, result.relative_decrement < 1e-14
    (True, True)
    """
    x, penalty = _check_start(x0, damp)
    for function, name in ((gradient, "gradient"), (hessian_root, "hessian_root")):
        if not callable(function):
            raise TypeError(f"`{name}` must be callable, got {function!r}")
    for option, name in ((objective, "objective"), (callback, "callback")):
        if option is not None and not callable(option):
            raise TypeError(f"`{name}` must be callable or None, got {option!r}")
    surrogate = _check_surrogate(method, sketch, sketch_size, len(x), rng)
    limit = _MAXITER if maxiter is None else check_int(maxiter, "maxiter", 0)
    wanted = None if rtol is None else check_positive_float(rtol, "rtol", below=1.0)

    problem = Problem(gradient, hessian_root, objective, penalty)
    start = problem.start(x)
    tolerance = AIM * problem.eps if wanted is None else wanted
    outcome = run(
        newton(problem, start, surrogate, tolerance),
        tolerance=tolerance,
        maxiter=limit,
        callback=callback,
    )
    state, status = outcome.state, outcome.status
    assert isinstance(state, NewtonState)
    if wanted is None:
        tolerance = ACCEPTED * problem.eps
        if status in (Status.STAGNATED, Status.MAX_ITERATIONS) and state.error <= tolerance:
            status = Status.CONVERGED
    if not state.error <= tolerance:
        warnings.warn(
            f"relative decrement {state.error:.1e} is above rtol={tolerance:.1e}: {advice(status)}",
            ConvergenceWarning,
            stacklevel=2,
        )
    return NewtonResult(
        x=np.array(state.x),
        status=status,
        method=method if surrogate.n_sketch else "exact",
        relative_decrement=state.error,
        decrement=state.decrement,
        gradient_norm=state.gradient_norm,
        objective=state.objective,
        n_iter=outcome.n_iter,
        n_hessian=problem.n_hessian,
        n_sketch=surrogate.n_sketch,
        n_matvec=problem.n_matvec,
        n_gradient=problem.n_gradient,
        n_objective=problem.n_objective,
        history=outcome.history,
    )


def _check_start(x0: Any, damp: Any) -> tuple[NDArray[Any], Vector]:
    x = np.array(as_inexact(x0, "x0"))
    if x.dtype.kind == "c":
        raise TypeError(f"`x0` must be real, got dtype {x.dtype}")
    if x.ndim != 1 or len(x) == 0:
        raise ValueError(f"`x0` must have shape (n,) with n at least 1, got {x.shape}")
    check_finite_array(x, "x0")
    x.flags.writeable = False
    penalty = as_inexact(damp, "damp")
    if penalty.dtype.kind == "c" or penalty.shape not in ((), x.shape):
        raise ValueError(
            f"`damp` must be a real number or have shape {x.shape}, got dtype {penalty.dtype} and "
            f"shape {penalty.shape}"
        )
    if not ((penalty >= 0) & (penalty < np.inf)).all():
        raise ValueError(f"`damp` must lie in [0, inf), got {damp!r}")
    return x, np.broadcast_to(penalty.astype(np.float64), x.shape)


def _check_surrogate(
    method: Any, sketch: Any, sketch_size: int | None, n: int, rng: RNGLike
) -> Surrogate:
    if not isinstance(method, str) or method not in _METHODS:
        raise ValueError(f"`method` must be 'sketch', 'subsample' or 'exact', got {method!r}")
    if not isinstance(sketch, str) or sketch not in SKETCHES:
        known = ", ".join(sorted(SKETCHES))
        raise ValueError(f"`sketch` must be one of {known}, got {sketch!r}")
    size = _SKETCH_FACTOR * n if sketch_size is None else check_int(sketch_size, "sketch_size", n)
    return Surrogate(method, sketch, size, as_generator(rng))
