"""The factor of a sketch made exact: one product of A with as many columns as it has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._svds_precondition import COLUMNS, SketchedFactor
from rnla.linalg.block import BlockOperator

# Entries of the product that exist at a time where rows of A can be read.
_PIECE_ENTRIES = 1 << 21


def exact_factor(A: BlockOperator, explicit: Any, H: SketchedFactor) -> SketchedFactor:
    """Return the factor of A itself from that of a sketch.

    With ``H = R^H R`` the columns of ``A R^-1`` are nearly orthonormal, so their Gram matrix holds
    all there is to know of them, and its square root times R is a factor of A. Each product with a
    column of R^-1 is a singular vector's over its singular value: rounding is that of A alone, for
    any condition number.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        The matrix.
    explicit : ndarray, sparse matrix or None
        The same by its entries, of which a few rows at a time are multiplied. Without them the
        whole product exists, as large as a dense copy of A.
    H : SketchedFactor
        Of a sketch of A.

    Returns
    -------
    SketchedFactor
        ``H = A^H A`` up to rounding.
    """
    T, R = H.inverse(), H.factor()
    m, n = A.shape
    if explicit is None:
        W = np.hstack([A.product(T[:, start : start + COLUMNS]) for start in range(0, n, COLUMNS)])
        G: NDArray[Any] = W.conj().T @ W
    else:
        G = np.zeros((n, n), A.dtype)
        rows = max(n, _PIECE_ENTRIES // n)
        for start in range(0, m, rows):
            W = np.asarray(explicit[start : start + rows] @ T)
            G += W.conj().T @ W
    squares, Z = np.linalg.eigh(G)
    # Where A is rank deficient the columns are noise, and may vanish.
    root = np.sqrt(np.maximum(squares, 0))[:, None] * Z.conj().T
    return SketchedFactor(root @ R)
