"""`spectral_density`: how the eigenvalues are distributed, from products with A."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnla._core.checks import as_inexact, check_finite_array, check_positive_float
from rnla._core.rng import RNGLike, as_generator
from rnla.trace._eigenvalues import check_hermitian, exact_quadrature
from rnla.trace._function_estimate import FunctionEstimate
from rnla.trace._input import Operand, as_operand
from rnla.trace._options import Options, check_options
from rnla.trace._probes import Probes
from rnla.trace._quadrature import SpectralQuadrature
from rnla.trace._rules import Floats
from rnla.trace._sampling import sample
from rnla.trace._solve import is_small, vector_kind
from rnla.trace._vectors import VectorStream, check_kind

METHODS = ("auto", "slq", "exact")
_POINTS = 200
# A budget is cut into this many samples, of so many steps.
_SAMPLES = 8
_STEPS = (10, 100)
# Widths beyond the extreme nodes that the default points cover.
_MARGIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralDensity(FunctionEstimate):
    """The density of the eigenvalues, smoothed, with its error at every point.

    `value`, `stderr` and `bias` are arrays, one entry for each of `points`; the interval is for one
    point at a time. Other attributes are those of `FunctionEstimate`.

    Attributes
    ----------
    points : ndarray, shape (m,)
        Where the density was estimated.
    width : float
        Standard deviation of the Gaussian that each eigenvalue was replaced by.
    """

    points: NDArray[np.float64] = field(repr=False)
    width: float


def spectral_density(
    A: Any,
    matvecs: int | None = None,
    *,
    points: ArrayLike | None = None,
    width: float | None = None,
    confidence: float = 0.95,
    method: str = "auto",
    degree: int | None = None,
    test_vectors: str = "auto",
    shape: tuple[int, int] | int | None = None,
    dtype: Any = None,
    block: int | None = None,
    rng: RNGLike = None,
) -> SpectralDensity:
    r"""Estimate the density of the eigenvalues of a Hermitian matrix.

    .. math:: \phi(t) = \frac1n \sum_i \frac{1}{\sqrt{2\pi}\,\sigma}
              \exp\Bigl(-\frac{(t - \lambda_i)^2}{2\sigma^2}\Bigr)

    Each eigenvalue counts as a Gaussian of standard deviation `width`; the density integrates to 1.
    It is estimated by stochastic Lanczos quadrature [1]_, with no bias but that of the quadrature,
    which the error bar holds.

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator or callable, shape (n, n)
        Hermitian, as in `trace_function`.
    matvecs : int, optional
        Products with A, at least 4. Default: 500.
    points : array_like, shape (m,), optional
        Where. Default: 200 equidistant points over the estimated eigenvalues and three widths more.
    width : float, optional
        The smoothing, positive. Default: the range of the eigenvalues divided by the Lanczos steps,
        which is about what so many steps resolve. Smaller widths show in the error bar.
    confidence : float, default 0.95
        Level of the intervals, in [0, 1), each for one point.
    method : str, default "auto"
        "slq", or "exact" for all eigenvalues; "auto" is "exact" where n products are allowed, or n
        is at most 2000 and `matvecs` not given.
    degree : int, optional
        Lanczos steps for each sample, at least 2. Default: an eighth of the products, between 10
        and 100.
    test_vectors : str, default "auto"
        "signs", "gaussian", "sphere", or for complex A "steinhaus".
    shape, dtype : optional
        Of a callable.
    block : int, optional
        Vectors that an operator gets at once; default 32.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the vectors, as in `trace_function`.

    Returns
    -------
    SpectralDensity
        With arrays ``points``, ``value``, ``stderr`` and ``bias``, the ``width``, and
        ``quadrature`` for traces of functions.

    Raises
    ------
    ValueError
        If A is not Hermitian, or an option is out of range.
    TypeError
        If an argument has the wrong type.

    See Also
    --------
    trace_function : One number in place of a curve.

    References
    ----------
    .. [1] L. Lin, Y. Saad, C. Yang, "Approximating spectral densities of large matrices", SIAM
       Review 58 (2016), 34-65.

    Examples
    --------
    The path graph: eigenvalues between 0 and 4, most of them at the ends.

    >>> import numpy as np
    >>> import scipy.sparse
    >>> import rnla
    >>> A = scipy.sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(5000, 5000))
    >>> density = rnla.spectral_density(A, points=[0.1, 2.0, 3.9], width=0.05, rng=0)
    >>> bool(density.value[0] > 2 * density.value[1] < density.value[2])
    True
    """
    options = check_options(
        METHODS,
        matvecs=matvecs,
        rtol=None,
        atol=0.0,
        confidence=confidence,
        method=method,
        degree=degree,
        spectrum=None,
        block_size=None,
        test_vectors=test_vectors,
    )
    if width is not None and check_positive_float(width, "width") == 0:
        raise ValueError("`width` must be positive, got 0: a density of points has no values")
    if rng is not None:
        as_generator(rng)
    grid = None if points is None else _check_points(points)
    operand = as_operand(A, shape=shape, dtype=dtype, block=block, hermitian=True)
    check_hermitian(operand)
    check_kind(options.test_vectors, operand.dtype)
    n = operand.shape[0]
    if n == 0:
        raise ValueError("`A` must have at least one eigenvalue, got shape (0, 0)")
    steps = options.degree or min(n, *np.clip([options.goal.limit // _SAMPLES], *_STEPS).tolist())
    steps = min(steps, options.goal.limit)
    quadrature = _quadrature(operand, options, max(2, steps), rng)
    nodes = quadrature.nodes
    low, high = float(np.min(nodes)), float(np.max(nodes))
    if width is None:
        # One multiple eigenvalue has no range to go by.
        width = (high - low) / steps if high > low else 0.01 * abs(high) or 0.01
    if grid is None:
        grid = np.linspace(low - _MARGIN * width, high + _MARGIN * width, _POINTS)
    parts = quadrature.parts(lambda at: _bumps(at, grid, width) / n)
    estimate = quadrature.estimate(np.zeros_like)
    return SpectralDensity(
        value=parts.value,
        stderr=parts.stderr,
        bias=parts.bias,
        n_matvec=quadrature.n_matvec,
        method=quadrature.method,
        status=estimate.status,
        message=estimate.message,
        confidence=options.goal.confidence,
        degrees_of_freedom=parts.degrees_of_freedom,
        history=np.array([[quadrature.n_matvec, float(np.max(parts.stderr, initial=0.0))]]),
        source=operand.source,
        quadrature=quadrature,
        points=grid,
        width=float(width),
    )


def _check_points(points: ArrayLike) -> Floats:
    grid = as_inexact(points, "points")
    if grid.ndim != 1 or grid.dtype.kind != "f":
        raise ValueError(
            f"`points` must be real, with one axis, got {grid.dtype} and shape {grid.shape}"
        )
    check_finite_array(grid, "points")
    return grid.astype(np.float64)


def _quadrature(operand: Operand, options: Options, steps: int, rng: RNGLike) -> SpectralQuadrature:
    if options.method == "exact" or (options.method == "auto" and is_small(operand, options)):
        return exact_quadrature(operand, options)
    kind = vector_kind(options, operand)
    probes = Probes(
        operand=operand,
        stream=VectorStream.draw(operand.shape[0], kind, operand.dtype, rng),
        f=np.zeros_like,
        degree=steps,
    )
    goal = replace(options.goal, limit=max(options.goal.limit, steps))
    return sample(probes, goal, method="slq")[0]


def _bumps(nodes: Floats, points: Floats, width: float) -> Floats:
    with np.errstate(over="ignore", under="ignore"):
        z = (nodes[:, None] - points) / width
        return np.asarray(np.exp(-(z**2) / 2) / (np.sqrt(2 * np.pi) * width))
