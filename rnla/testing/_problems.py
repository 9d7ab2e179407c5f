"""Least-squares problems and matrices with known answers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import check_int, check_positive_float, inexact_dtype
from rnla._core.rng import RNGLike, as_generator


class LstsqProblem(NamedTuple):
    """A least-squares problem whose solution is known.

    Attributes
    ----------
    A : ndarray, shape (m, n)
        The matrix.
    b : ndarray, shape (m,)
        The right-hand side ``A x + r`` with r orthogonal to the range of A.
    x : ndarray, shape (n,)
        The solution of ``min ||b - A x||``, up to the rounding of `A` and `b` themselves.

    Examples
    --------
    >>> from rnla.testing import lstsq_problem
    >>> A, b, x = lstsq_problem(100, 5, rng=0)
    >>> A.shape, b.shape, x.shape
    ((100, 5), (100,), (5,))
    """

    A: NDArray[Any]
    b: NDArray[Any]
    x: NDArray[Any]


def lstsq_problem(
    m: int,
    n: int,
    *,
    condition: float = 1.0,
    residual: float = 0.0,
    rng: RNGLike = None,
    dtype: Any = np.float64,
) -> LstsqProblem:
    """Draw a dense least-squares problem with a prescribed condition number and residual.

    ``A = U diag(s) V^H`` with random orthonormal U and V and singular values s from 1 down to
    ``1 / condition`` in equal ratios, x a random unit vector and ``b = A x + r`` with r orthogonal
    to the range of A, ``||r|| = residual`` [1]_.

    Parameters
    ----------
    m, n : int
        Shape of A, m > n.
    condition : float, default 1
        At least 1; above 1e16 A is numerically rank deficient.
    residual : float, default 0
        Norm of the optimal residual; 0 makes a consistent system.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        As in ``numpy.random.default_rng``.
    dtype : dtype, default float64
        Of all three arrays. Single precision is rounded from double precision.

    Returns
    -------
    LstsqProblem
        The named tuple ``(A, b, x)``.

    Raises
    ------
    ValueError
        If a size, `condition` or `residual` is out of range.

    Notes
    -----
    Hardest for a randomized solver are condition numbers about 1e12 with residuals of 1e-6 to
    1e-3: there forward stable methods lose the most digits of backward error.

    References
    ----------
    .. [1] E. N. Epperly, M. Meier, Y. Nakatsukasa, "Fast randomized least-squares solvers can be
       just as accurate and stable as classical direct solvers", arXiv:2406.03468.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.testing import lstsq_problem
    >>> A, b, x = lstsq_problem(300, 10, condition=1e6, residual=1e-2, rng=0)
    >>> sigma = np.linalg.svd(A, compute_uv=False)
    >>> print(f"{sigma[0] / sigma[-1]:.3g}", f"{np.linalg.norm(b - A @ x):.3g}")
    1e+06 0.01
    """
    n = check_int(n, "n", 1)
    m = check_int(m, "m", n + 1)
    condition = check_positive_float(condition, "condition")
    if condition < 1:
        raise ValueError(f"`condition` must be at least 1, got {condition}")
    residual = check_positive_float(residual, "residual")
    dtype = inexact_dtype(dtype, "dtype")
    rng = as_generator(rng)
    working = np.result_type(dtype, np.float64)
    U = haar(m, n + 1, rng=rng, dtype=working)
    V = haar(n, n, rng=rng, dtype=working)
    A = (U[:, :n] * np.geomspace(1, 1 / condition, n)) @ V.conj().T
    x = gaussian((n,), working, rng)
    x /= np.linalg.norm(x)
    b = A @ x + residual * U[:, n]
    return LstsqProblem(A.astype(dtype), b.astype(dtype), x.astype(dtype))


def haar(m: int, n: int, *, rng: RNGLike = None, dtype: Any = np.float64) -> NDArray[Any]:
    """Draw a matrix with orthonormal columns, uniformly among all of them.

    Parameters
    ----------
    m, n : int
        Shape, m >= n.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        As in ``numpy.random.default_rng``.
    dtype : dtype, default float64
        Real or complex; single precision is rounded from double precision.

    Returns
    -------
    ndarray, shape (m, n)
        The columns.

    Raises
    ------
    ValueError
        If ``m < n``.

    Examples
    --------
    >>> from rnla.testing import assert_orthonormal, haar
    >>> assert_orthonormal(haar(50, 8, rng=0))
    """
    n = check_int(n, "n", 0)
    m = check_int(m, "m", n)
    dtype = inexact_dtype(dtype, "dtype")
    Q, R = np.linalg.qr(gaussian((m, n), np.result_type(dtype, np.float64), as_generator(rng)))
    # LAPACK fixes the signs of R by its own rule, which would bias the columns.
    diagonal = np.diagonal(R)
    return np.asarray(Q * (diagonal / np.abs(diagonal)), dtype)


def prolate(m: int, n: int, *, bandwidth: float = 0.1, ridge: float = 0.0) -> NDArray[np.float64]:
    """Return the first columns of a prolate Toeplitz matrix, over a multiple of the identity.

    ``T[i, j] = sin(2 pi w (i - j)) / (pi (i - j))`` with ``2 w`` on the diagonal. Its singular
    values fall off a cliff to roundoff, and scaling columns does not help.

    Parameters
    ----------
    m, n : int
        Shape, m >= n; with a ridge the last n rows hold it.
    bandwidth : float, default 0.1
        The number w, in (0, 1/2). Smaller is worse conditioned.
    ridge : float, default 0
        If positive, the last n rows are ``sqrt(ridge) ||T||`` times the identity.

    Returns
    -------
    ndarray, shape (m, n)
        The matrix.

    Raises
    ------
    ValueError
        If a size or `bandwidth` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.testing import prolate
    >>> bool(np.linalg.cond(prolate(200, 30)) > 1e7)
    True
    """
    n = check_int(n, "n", 1)
    ridge = check_positive_float(ridge, "ridge")
    m = check_int(m, "m", 2 * n if ridge else n)
    bandwidth = check_positive_float(bandwidth, "bandwidth", below=0.5)
    rows = m - n if ridge else m
    distance = np.subtract.outer(np.arange(rows), np.arange(n))
    T = 2 * bandwidth * np.sinc(2 * bandwidth * distance)
    if not ridge:
        return T
    return np.vstack([T, np.sqrt(ridge) * np.linalg.norm(T, 2) * np.eye(n)])


def hilbert(m: int, n: int) -> NDArray[np.float64]:
    """Return the Hilbert matrix with entries ``1 / (i + j + 1)``, counted from zero.

    Parameters
    ----------
    m, n : int
        Shape.

    Returns
    -------
    ndarray, shape (m, n)
        The matrix; condition about 1e12 for 12 tall columns and beyond roundoff for 25.

    Examples
    --------
    >>> from rnla.testing import hilbert
    >>> hilbert(2, 2)
    array([[1.        , 0.5       ],
           [0.5       , 0.33333333]])
    """
    m, n = check_int(m, "m", 1), check_int(n, "n", 1)
    return 1.0 / (1.0 + np.add.outer(np.arange(m), np.arange(n)))


def vandermonde(m: int, n: int, *, low: float = -1.0, high: float = 1.0) -> NDArray[np.float64]:
    """Return the monomials ``1, t, ..., t^(n-1)`` at equispaced points of an interval.

    Parameters
    ----------
    m, n : int
        Shape: points and monomials.
    low, high : float
        Ends of the interval, both included.

    Returns
    -------
    ndarray, shape (m, n)
        The matrix; 40 monomials on [-1, 1] have condition 3e14, 25 on [0, 1] beyond roundoff.

    Examples
    --------
    >>> from rnla.testing import vandermonde
    >>> vandermonde(3, 3)
    array([[ 1., -1.,  1.],
           [ 1.,  0.,  0.],
           [ 1.,  1.,  1.]])
    """
    m, n = check_int(m, "m", 1), check_int(n, "n", 1)
    return np.vander(np.linspace(low, high, m), n, increasing=True)


def laeuchli(m: int, n: int, *, epsilon: float = 1e-9) -> NDArray[np.float64]:
    """Return a tall Laeuchli matrix: a row of ones over multiples of the identity.

    Rows ``1, ..., m - 1`` are ``epsilon`` times the rows of identities, stacked. For epsilon below
    the root of roundoff ``A^T A`` is exactly singular in floating point, while A has full rank.

    Parameters
    ----------
    m, n : int
        Shape, m > n.
    epsilon : float, default 1e-9
        The small entries.

    Returns
    -------
    ndarray, shape (m, n)
        The matrix.

    Raises
    ------
    ValueError
        If ``m <= n``.

    Examples
    --------
    >>> from rnla.testing import laeuchli
    >>> laeuchli(4, 2, epsilon=0.5)
    array([[1. , 1. ],
           [0.5, 0. ],
           [0. , 0.5],
           [0.5, 0. ]])
    """
    n = check_int(n, "n", 1)
    m = check_int(m, "m", n + 1)
    A = np.zeros((m, n))
    A[0] = 1
    A[np.arange(1, m), np.arange(m - 1) % n] = epsilon
    return A


def coherent(
    m: int, n: int, *, weight: float = 1e8, rng: RNGLike = None, dtype: Any = np.float64
) -> NDArray[Any]:
    """Draw a Gaussian matrix with one heavy row, which uniform row sampling would miss.

    Parameters
    ----------
    m, n : int
        Shape.
    weight : float, default 1e8
        Factor of the heavy row, the one in the middle.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        As in ``numpy.random.default_rng``.
    dtype : dtype, default float64
        Real or complex.

    Returns
    -------
    ndarray, shape (m, n)
        The matrix; its condition number is about ``weight * sqrt(n / m)``.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.testing import coherent
    >>> int(np.argmax(np.linalg.norm(coherent(100, 3, rng=0), axis=1)))
    50
    """
    m, n = check_int(m, "m", 1), check_int(n, "n", 1)
    A = gaussian((m, n), inexact_dtype(dtype, "dtype"), as_generator(rng))
    A[m // 2] *= weight
    return A  # type: ignore[no-any-return]


def gaussian(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Any:
    values = rng.standard_normal(shape)
    if dtype.kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)
