"""A copy of A in single precision, for products that need not be exact."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import even_parts, run_parts
from rnla.linalg.normal._damped import DampedNormal
from rnla.linalg.normal._dense import DenseNormal

_PARTS = 64


class SingleNormal:
    """The product ``A^H A x`` with the entries of a dense A rounded to single precision.

    Half the bytes per reading. Columns are scaled by powers of two before rounding, so that only
    digits are lost and no range; sums are in double precision.

    Parameters
    ----------
    A : DenseNormal or DampedNormal
        The matrix, dense; it counts the products.
    scale : ndarray, shape (n, 1)
        Brings the columns of A to a norm of about one.
    """

    def __init__(self, A: DenseNormal | DampedNormal, scale: NDArray[np.float64]) -> None:
        self.A, self.scale = A, scale
        self.damp = A.damp if isinstance(A, DampedNormal) else 0.0
        dense = A.inner if isinstance(A, DampedNormal) else A
        assert isinstance(dense, DenseNormal)
        copy = np.empty_like(dense.A, np.complex64 if dense.dtype.kind == "c" else np.float32)
        row = scale[:, 0]

        def task(start: int, stop: int) -> None:
            np.multiply(
                dense.rooted(dense.A[start:stop], start),
                row,
                out=copy[start:stop],
                casting="same_kind",
            )

        run_parts(task, even_parts(dense.shape[0], min(_PARTS, dense.shape[0])))
        dense.n_passes += 1
        self.copy = DenseNormal(copy)

    def normal(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A^H (A X)``, with the damping that belongs to A."""
        self.A._count(2 * X.shape[1])
        product = self.copy.normal(X / self.scale) / self.scale
        return np.asarray(product + np.square(self.damp) * X)
