"""Kernel regression on the digits images of scikit-learn, as a tall least-squares problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IMAGES = 1797
_JITTER = 1e-3
# Wide kernels: smoother fits and nearly parallel columns. At four times the median distance the
# residual is smallest on these images and the condition number is about 4e7.
_BANDWIDTH = 4.0
_BLOCK = 1 << 20


@dataclass(frozen=True)
class KernelRegression:
    """The problem ``min ||b - A x||`` with ``A_ij = exp(-||z_i - c_j||^2 / (2 h^2))``.

    Attributes
    ----------
    A : ndarray, shape (rows, columns)
        Kernel values between images and centres.
    b : ndarray, shape (rows,)
        The digit that each image shows.
    bandwidth : float
        The h above.
    """

    A: NDArray[np.float64]
    b: NDArray[np.float64]
    bandwidth: float


def kernel_regression(
    rows: int, columns: int, seed: int, report: Callable[[float], None]
) -> KernelRegression:
    """Make the problem from bootstrapped images, a block of rows at a time.

    Parameters
    ----------
    rows : int
        Images drawn with replacement, each with its own jitter.
    columns : int
        Centres drawn without replacement, at most 1797.
    seed : int
        Of both draws.
    report : callable
        Called with the fraction done.

    Returns
    -------
    KernelRegression
        In double precision, C-ordered.
    """
    from sklearn.datasets import load_digits
    from sklearn.preprocessing import StandardScaler

    pixels, digits = load_digits(return_X_y=True)
    images = StandardScaler().fit_transform(pixels)
    rng = np.random.default_rng(seed)
    centres = images[rng.choice(len(images), columns, replace=False)]
    bandwidth = _BANDWIDTH * _median_distance(images[:: len(images) // 400])
    drawn = rng.integers(len(images), size=rows)
    A = np.empty((rows, columns))
    step = max(1, _BLOCK // columns)
    for start in range(0, rows, step):
        report(start / rows)
        block = A[start : start + step]
        sample = images[drawn[start : start + step]]
        sample = sample + _JITTER * rng.standard_normal(sample.shape)
        _squared_distances(sample, centres, block)
        block *= -0.5 / bandwidth**2
        np.exp(block, out=block)
    return KernelRegression(A, digits[drawn].astype(np.float64), bandwidth)


def _squared_distances(
    X: NDArray[np.float64], Y: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    np.matmul(-2 * X, Y.T, out=out)
    out += np.einsum("ij,ij->i", X, X)[:, None]
    out += np.einsum("ij,ij->i", Y, Y)
    np.maximum(out, 0, out=out)


def _median_distance(X: NDArray[np.float64]) -> float:
    squares = np.empty((len(X), len(X)))
    _squared_distances(X, X, squares)
    return float(np.sqrt(np.median(squares[np.triu_indices(len(X), 1)])))
