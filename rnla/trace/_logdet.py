"""`logdet`: the log-determinant of a positive definite matrix from products with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_lapack_funcs

from rnla._core.checks import check_finite_array
from rnla._core.rng import RNGLike
from rnla._core.status import Status
from rnla._core.threads import single_threaded_blas
from rnla.trace._eigenvalues import check_hermitian, entries
from rnla.trace._estimate import Estimate
from rnla.trace._fun_nystrom import nystrom_eig
from rnla.trace._function_estimate import FunctionEstimate
from rnla.trace._input import Operand, as_operand
from rnla.trace._options import Options, check_options
from rnla.trace._probes import Probes
from rnla.trace._quadrature import SpectralQuadrature
from rnla.trace._rules import Floats
from rnla.trace._sampling import sample
from rnla.trace._solve import finish, is_small, solve, vector_kind
from rnla.trace._vectors import VectorStream, check_kind

METHODS = ("auto", "krylov_aware", "slq", "nystrom", "exact")
# An array of this order has its Cholesky factor in less time than an estimate takes.
_CHOLESKY = 4000
# Rank of the preconditioner where a tolerance decides about the products.
_RANK = 200


def logdet(
    A: Any,
    matvecs: int | None = None,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    confidence: float = 0.95,
    method: str = "auto",
    degree: int | None = None,
    spectrum: tuple[float, float] | None = None,
    block_size: int | None = None,
    test_vectors: str = "auto",
    shape: tuple[int, int] | int | None = None,
    dtype: Any = None,
    block: int | None = None,
    rng: RNGLike = None,
) -> FunctionEstimate:
    r"""Estimate the logarithm of the determinant of a positive definite matrix.

    .. math:: \log\det A = \operatorname{tr} \log A

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator or callable, shape (n, n)
        Hermitian positive definite, as in `trace_function`.
    matvecs : int, optional
        Products with A, as in `trace_function`.
    rtol, atol : float, optional
        Tolerance of half the width of the interval, as in `trace_function`. A log-determinant may
        be close to zero: then `atol` says what is wanted, and `rtol` alone asks for too much.
    confidence : float, default 0.95
        Level of the interval, in [0, 1).
    method : str, default "auto"
        "krylov_aware" and "slq" as in `trace_function`. "nystrom" preconditions: ``logdet P`` of a
        Nyström approximation P is known, and ``P^-1/2 A P^-1/2`` has a smaller condition number, so
        that fewer Lanczos steps and samples do; for A with few large eigenvalues, such as a kernel
        matrix plus a multiple of the identity. "exact" is the Cholesky factor. "auto" is "exact"
        where n products are allowed, or `matvecs` is not given and n is at most 2000, 4000 for an
        array; else "krylov_aware".
    degree : int, optional
        Lanczos steps for each sample, at least 2. Default: until a rule has settled.
    spectrum : (float, float), optional
        An interval of positive numbers with all eigenvalues: the quadrature error of each sample is
        then bounded by Gauss and Gauss-Radau rules, from above and from below. Not for "nystrom".
    block_size : int, optional
        Width of the start of the Krylov space; default 2.
    test_vectors : str, default "auto"
        As in `trace_function`.
    shape, dtype : optional
        Of a callable.
    block : int, optional
        Vectors that an operator gets at once; default 32.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the vectors, as in `trace_function`.

    Returns
    -------
    FunctionEstimate
        With ``value``, of either sign, ``stderr``, ``bias``, ``confidence_interval()``.

    Raises
    ------
    ValueError
        If A is not positive definite: a Ritz value is not positive; if it is not Hermitian, or an
        option is out of range.
    TypeError
        If an argument has the wrong type.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not met with the products allowed.

    See Also
    --------
    trace_function : Any function, with the notes on cost and on what may go wrong.

    Notes
    -----
    Ritz values lie between the extreme eigenvalues, so an indefinite A is noticed only where one of
    them falls below zero; a single negative eigenvalue close to zero may be missed.

    Examples
    --------
    The Laplacian of a square grid, whose eigenvalues are known:

    >>> import numpy as np
    >>> import scipy.sparse
    >>> import rnla
    >>> k = 100
    >>> L = scipy.sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(k, k))
    >>> A = scipy.sparse.kronsum(L, L, format="csr")
    >>> estimate = rnla.logdet(A, rtol=0.01, rng=0)
    >>> mu = 4 * np.sin(np.arange(1, k + 1) * np.pi / (2 * k + 2)) ** 2
    >>> exact = np.log(mu + mu[:, None]).sum()
    >>> bool(abs(estimate.value - exact) < estimate.radius() < 0.01 * exact)
    True
    """
    options = check_options(
        METHODS,
        matvecs=matvecs,
        rtol=rtol,
        atol=atol,
        confidence=confidence,
        method=method,
        degree=degree,
        spectrum=spectrum,
        block_size=block_size,
        test_vectors=test_vectors,
    )
    if options.spectrum is not None:
        if options.spectrum[0] <= 0:
            raise ValueError(f"`spectrum` must be positive for a log-determinant, got {spectrum}")
        if options.method == "nystrom":
            raise ValueError(
                "`spectrum` must be left out for method='nystrom', which changes the spectrum"
            )
    operand = as_operand(A, shape=shape, dtype=dtype, block=block, hermitian=True)
    check_hermitian(operand)
    check_kind(options.test_vectors, operand.dtype)
    stream = VectorStream.draw(operand.shape[0], "gaussian", operand.dtype, rng)
    quadrature: SpectralQuadrature | None
    if options.method == "exact" or (options.method == "auto" and _is_small(operand, options)):
        quadrature, estimate = _exact(operand, options)
    elif options.method == "nystrom":
        quadrature, estimate = _preconditioned(operand, options, stream)
    else:
        quadrature, estimate = solve(log_of_spectrum, operand, options, stream, name="log")
    return finish(estimate, quadrature, operand)


def log_of_spectrum(nodes: Floats) -> Floats:
    """Return logarithms of estimated eigenvalues, or say that A is not positive definite.

    Parameters
    ----------
    nodes : ndarray
        Ritz values, which lie between the smallest and the largest eigenvalue.

    Returns
    -------
    ndarray
        Of the same shape.

    Raises
    ------
    ValueError
        If one of them is not positive.
    """
    smallest = float(np.min(nodes, initial=np.inf))
    if smallest <= 0:
        raise ValueError(not_positive(smallest, "the Ritz value"))
    return np.log(nodes)


def not_positive(value: float, what: str) -> str:
    """Return the message that a matrix is not positive definite."""
    return f"`A` must be positive definite, but it has {what} {value:.6g}"


def _is_small(operand: Operand, options: Options) -> bool:
    n = operand.shape[0]
    factored = isinstance(operand.source, np.ndarray) and options.budget is None
    return is_small(operand, options) or (factored and n <= _CHOLESKY)


def _exact(operand: Operand, options: Options) -> tuple[None, Estimate]:
    A = entries(operand, options.budget)
    check_finite_array(A, "A")
    try:
        L = np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        smallest = float(np.linalg.eigvalsh(A)[0])
        raise ValueError(not_positive(smallest, "the eigenvalue")) from None
    logs = 2 * np.log(np.diagonal(L).real.astype(np.float64))
    eps = float(np.finfo(operand.dtype).eps)
    stderr = eps * float(len(logs) + np.abs(logs).sum() + _sensitivity(A, L))
    return None, Estimate(
        value=float(logs.sum()),
        stderr=stderr,
        n_matvec=operand.n_matvec,
        method="exact",
        status=Status.EXACT,
        message=f"exact: {Status.EXACT.value}",
        confidence=options.goal.confidence,
        history=np.array([[operand.n_matvec, stderr]]),
    )


def _sensitivity(A: NDArray[Any], L: NDArray[Any]) -> float:
    """Return what multiplies relative errors of the entries of A in the log-determinant.

    The factor is that of a matrix with entries ``(1 + O(eps)) sqrt(a_ii a_jj)`` off, and the change
    of the log-determinant is ``tr(A^-1 E)``: about the norm of the inverse at unit diagonal [1]_.

    Parameters
    ----------
    A, L : ndarray, shape (n, n)
        The matrix and its Cholesky factor.

    Returns
    -------
    float
        The 1-norm of the inverse, estimated.

    References
    ----------
    .. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., 2002, section
       10.1.
    """
    if len(A) == 0:
        return 0.0
    d = np.sqrt(np.diagonal(A).real)
    scaled = np.abs(A) / d
    scaled /= d[:, None]
    size = float(np.max(scaled.sum(axis=0)))
    pocon: Any = get_lapack_funcs("pocon", (L,))
    rcond, _ = pocon(L / d[:, None], size, uplo="L")
    return 1 / (float(rcond) * size) if rcond > 0 else np.inf


def _preconditioned(
    operand: Operand, options: Options, stream: VectorStream
) -> tuple[None, Estimate]:
    """Return ``logdet P + tr log(P^-1/2 A P^-1/2)`` for a Nyström approximation P of A."""
    n = operand.shape[0]
    rank = min(options.goal.limit // 2, n)
    if options.goal.has_tolerance:
        rank = min(rank, _RANK, n // 2 + 1)
    U, levels = nystrom_eig(operand, stream.other(1, "gaussian").columns(0, rank))
    if len(levels) == 0:
        raise ValueError(not_positive(0.0, "only Ritz values that are, up to rounding,"))
    # On the rest of the space P is a multiple of the identity, the smallest captured level.
    floor = float(levels[-1])
    factors = (1 / np.sqrt(levels) - 1 / np.sqrt(floor)).astype(U.real.dtype)[:, None]
    scale = U.real.dtype.type(1 / np.sqrt(floor))

    def inverse_root(X: NDArray[Any]) -> NDArray[Any]:
        with single_threaded_blas():
            return np.asarray(U @ (factors * (U.conj().T @ X)) + scale * X)

    similar = Operand(
        None,
        operand.shape,
        operand.dtype,
        lambda X: inverse_root(operand.product(inverse_root(X))),
        None,
        block=operand.width,
        split=False,
        # The products with U make the bits depend on the width of a block.
        dense=True,
    )
    similar.n_matvec = operand.n_matvec
    probes = Probes(
        operand=similar,
        stream=stream.other(0, vector_kind(options, operand)),
        f=log_of_spectrum,
        name="log",
        degree=options.degree,
    )
    shift = float(np.log(levels).sum() + (n - len(levels)) * np.log(floor))
    return None, sample(probes, options.goal, method="nystrom", shift=shift)[1]
