"""Singular triplets by LAPACK, of a matrix that fits in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from rnla.linalg.block import BlockOperator
from rnla.linalg.orth import lengths_of_any_size


def dense_triplets(
    A: BlockOperator, k: int, largest: bool
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return k triplets of the whole decomposition, best first.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        A matrix-free one is multiplied by the identity.
    k : int
        At most min(m, n).
    largest : bool
        Which end is best.

    Returns
    -------
    U, sigma, V, residuals : ndarray, shapes (m, k), (k,), (n, k), (k,)
        Columns of U and V are orthonormal, for singular values that are zero too.
    """
    dense = A.todense()
    if not np.isfinite(dense).all():
        raise ValueError("`A` must not contain NaN or infinity")
    try:
        U, sigma, VH = np.linalg.svd(dense, full_matrices=False)
    except np.linalg.LinAlgError:
        # Divide and conquer failed: QR iteration is slower and more patient.
        U, sigma, VH = scipy.linalg.svd(
            dense, full_matrices=False, check_finite=False, lapack_driver="gesvd"
        )
    chosen = slice(0, k) if largest else slice(-1, -k - 1, -1)
    U, sigma, V = U[:, chosen], sigma[chosen], VH[chosen].conj().T
    check_range(sigma)
    return U, sigma, V, triplet_residuals(dense @ V, dense.conj().T @ U, U, sigma, V)


def check_range(sigma: NDArray[Any]) -> None:
    """Refuse singular values that have no number in their precision.

    Parameters
    ----------
    sigma : ndarray, shape (k,)
        As computed.

    Raises
    ------
    ValueError
        If one is infinite.
    """
    if not np.isfinite(sigma).all():
        raise ValueError(f"`A` has singular values beyond the range of {sigma.dtype}: scale it")


def triplet_residuals(
    AV: NDArray[Any], AHU: NDArray[Any], U: NDArray[Any], sigma: NDArray[Any], V: NDArray[Any]
) -> NDArray[Any]:
    """Return ``sqrt(||A v - sigma u||^2 + ||A^H u - sigma v||^2)`` for each triplet.

    Parameters
    ----------
    AV, AHU : ndarray, shapes (m, k), (n, k)
        Products with A and its adjoint.
    U, sigma, V : ndarray, shapes (m, k), (k,), (n, k)
        The triplets.

    Returns
    -------
    ndarray, shape (k,)
        Residual norms.
    """
    left, right = AV - U * sigma, AHU - V * sigma
    return np.asarray(np.hypot(lengths_of_any_size(left), lengths_of_any_size(right)))
