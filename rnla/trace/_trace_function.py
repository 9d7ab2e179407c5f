"""`trace_function`: the trace of f(A) from products with A."""

from __future__ import annotations

from typing import Any

from rnla._core.rng import RNGLike
from rnla.trace._eigenvalues import check_hermitian
from rnla.trace._evaluate import SpectralFunction, check_function
from rnla.trace._function_estimate import FunctionEstimate
from rnla.trace._input import as_operand
from rnla.trace._options import check_options
from rnla.trace._solve import finish, solve
from rnla.trace._vectors import VectorStream, check_kind

METHODS = ("auto", "krylov_aware", "slq", "fun_nystrom", "exact")


def trace_function(
    f: SpectralFunction,
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
    r"""Estimate the trace of a function of a Hermitian matrix, with an honest error bar.

    .. math:: \operatorname{tr} f(A) = \sum_i f(\lambda_i)

    Only products of A with blocks of vectors are needed. A block Krylov space captures the part of
    f(A) that random vectors would see with the largest variance, and its trace, with no sampling
    error; for the rest, random vectors in the complement each give a Gauss quadrature by Lanczos.
    The error bar holds the sampling error and that of the quadrature.

    Parameters
    ----------
    f : callable
        Maps an array of eigenvalues, shape (k,), float64, to real values of the same shape. Where
        it is undefined, NaN or infinite at an estimated eigenvalue, the call is refused; at zero up
        to rounding, ``f(0)`` is taken.
    A : array_like, sparse matrix, LinearOperator or callable, shape (n, n)
        Hermitian, in float32, float64, complex64 or complex128. A callable maps blocks (n, k) to
        (n, k), and needs `shape`.
    matvecs : int, optional
        Products with A, one per vector, at least 4. Default: 500; with a tolerance it is the most
        that may be spent, 10,000 by default.
    rtol, atol : float, optional
        Stop when half the width of the confidence interval is at most ``atol + rtol |value|``.
        Default, or zero: no tolerance, `matvecs` products are made.
    confidence : float, default 0.95
        Level of the interval, in [0, 1).
    method : str, default "auto"
        "krylov_aware" is described above [1]_. "slq", stochastic Lanczos quadrature, samples all of
        f(A) [2]_: the same if the spectrum of f(A) is flat. "fun_nystrom" subtracts f of a Nyström
        approximation [3]_: for positive semidefinite A and operator monotone f with f(0) = 0, such
        as ``sqrt``, ``log1p`` and ``x / (x + mu)``. "exact" computes all eigenvalues. "auto" is
        "exact" where n products are allowed, or n is at most 2000 and `matvecs` not given; else
        "krylov_aware".
    degree : int, optional
        Lanczos steps for each sample, at least 2. Default: until a rule has settled.
    spectrum : (float, float), optional
        An interval that holds all eigenvalues. With it the quadrature of each sample is bracketed
        by Gauss and Gauss-Radau rules [4]_: its error is bounded, not estimated, if every
        derivative of f has one sign on the interval, as those of ``exp``, ``log``, ``sqrt`` and
        ``1/x``.
    block_size : int, optional
        Width of the start of the Krylov space of "krylov_aware"; default 2. Wider blocks make
        fewer, larger products with A and capture a little less per product.
    test_vectors : str, default "auto"
        For "slq" and "fun_nystrom": "signs", "gaussian", "sphere", or for complex A "steinhaus".
        "krylov_aware" takes rotation-invariant ones of one length, "sphere", and refuses others.
    shape, dtype : optional
        Of a callable: n or (n, n), and by default float64.
    block : int, optional
        Vectors that an operator gets at once; default 32. It bounds memory.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the vectors. Equal seeds give equal bits for every `block` and number of threads
        if the products with A do: those of arrays depend on the threads of BLAS.

    Returns
    -------
    FunctionEstimate
        With ``value``, ``stderr`` (sampling), ``bias`` (quadrature), ``confidence_interval()``,
        ``n_matvec``, ``method``, ``status``, and ``quadrature``, which gives the trace of other
        functions without any product: ``estimate.quadrature.trace(g)``.

    Raises
    ------
    ValueError
        If `f` is not finite somewhere on the spectrum, A is not Hermitian, or an option is out of
        range.
    TypeError
        If an argument has the wrong type.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not met with the products allowed.

    See Also
    --------
    logdet : ``f = log``.
    spectral_density : The distribution of the eigenvalues.

    Notes
    -----
    Memory beyond A: the basis of the Krylov space and those of the Lanczos runs of one block, at
    most ``n matvecs`` numbers; flops beyond the products: ``4 n`` for each pair of a vector and an
    earlier one of its basis.

    The quadrature error is extrapolated from what doubling the Lanczos steps has changed, and what
    the captured space knows of eigenvalues that samples have not met is added. It is an estimate:
    an isolated eigenvalue that no Krylov space has seen yet does not show, and bars are too short
    where f changes most at an end of an ill-conditioned spectrum that holds most eigenvalues. The
    sampling error is Student's, from as few as four samples: where a few large eigenvalues of what
    was not captured dominate them, they are skewed, and 95 % intervals of 30 to 60 products held as
    few as 81 %.

    References
    ----------
    .. [1] T. Chen, E. Hallman, "Krylov-aware stochastic trace estimation", SIAM J. Matrix Anal.
       Appl. 44 (2023), 1218-1244.
    .. [2] S. Ubaru, J. Chen, Y. Saad, "Fast estimation of tr(f(A)) via stochastic Lanczos
       quadrature", SIAM J. Matrix Anal. Appl. 38 (2017), 1075-1099.
    .. [3] D. Persson, D. Kressner, "Randomized low-rank approximation of monotone matrix
       functions", SIAM J. Matrix Anal. Appl. 44 (2023), 894-918.
    .. [4] G. H. Golub, G. Meurant, "Matrices, Moments and Quadrature with Applications",
       Princeton, 2010.

    Examples
    --------
    The sum of the square roots of the eigenvalues, and then of the eigenvalues themselves:

    >>> import numpy as np
    >>> import scipy.sparse
    >>> import rnla
    >>> A = scipy.sparse.diags_array(np.arange(1.0, 5001) ** -1.5)
    >>> estimate = rnla.trace_function(np.sqrt, A, rtol=0.01, rng=0)
    >>> low, high = estimate.confidence_interval()
    >>> bool(low < np.sqrt(A.diagonal()).sum() < high)
    True
    >>> other = estimate.quadrature.trace(lambda x: x)
    >>> bool(abs(other.value - A.trace()) < other.radius())
    True
    """
    check_function(f)
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
    operand = as_operand(A, shape=shape, dtype=dtype, block=block, hermitian=True)
    check_hermitian(operand)
    check_kind(options.test_vectors, operand.dtype)
    stream = VectorStream.draw(operand.shape[0], "gaussian", operand.dtype, rng)
    quadrature, estimate = solve(f, operand, options, stream, name="f")
    return finish(estimate, quadrature, operand)
