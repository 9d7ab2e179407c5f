"""Backward errors of anyone's solution of minimum norm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def exact_minimum_norm_error(
    A: NDArray[Any], b: NDArray[Any], x: NDArray[Any], theta: float = np.inf
) -> float:
    """Return the optimal backward error of Sun and Sun, not normalised.

    Its square is ``theta^2 ||r||^2 / (1 + theta^2 ||x||^2)``, for which x becomes a solution, plus
    ``sigma_min(A (I - x x^H / ||x||^2))^2``, for which it comes into the row space.

    Parameters
    ----------
    A : ndarray, shape (m, n)
        The matrix, m < n.
    b : ndarray, shape (m,)
        Right-hand side.
    x : ndarray, shape (n,)
        The approximate solution of minimum norm.
    theta : float
        Weight of changes of b; infinite: only A is changed.

    Returns
    -------
    float
        ``min ||[dA, theta db]||_F`` such that x is the solution of minimum norm.
    """
    if not x.any():
        return _error_of_zero(b, theta)
    unit = x / np.linalg.norm(x)
    away = A - np.outer(A @ unit, unit.conj())
    smallest = np.linalg.svd(away, compute_uv=False)[-1]
    return float(np.hypot(_error_of_residual(A, b, x, theta), smallest))


def _error_of_zero(b: NDArray[Any], theta: float) -> float:
    """Return the smallest change of b to zero: no change of A makes zero a solution."""
    size = float(np.linalg.norm(b))
    return theta * size if size > 0 else 0.0


def _error_of_residual(A: NDArray[Any], b: NDArray[Any], x: NDArray[Any], theta: float) -> float:
    r_norm, x_norm = float(np.linalg.norm(b - A @ x)), float(np.linalg.norm(x))
    if np.isinf(theta):
        return r_norm / x_norm
    return float(theta * r_norm / np.sqrt(1 + theta**2 * x_norm**2))
