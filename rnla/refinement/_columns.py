"""The caller's right-hand sides as scaled columns, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.refinement._norms import column_norms, power_of_two


class Columns:
    """Right-hand sides as columns of norm about one, by powers of two, so without rounding.

    For a real linear A, complex right-hand sides become real and imaginary columns, so that an
    approximate solver for real numbers is enough.

    Parameters
    ----------
    b : ndarray, shape (m,) or (m, k)
        Right-hand sides.
    dtype : dtype
        Common precision of A, b and x0, complex if one of them is.
    real : bool
        Whether A is linear and real.
    scaled : bool
        Whether A is linear, so that scaling is harmless.
    """

    def __init__(self, b: NDArray[Any], dtype: np.dtype[Any], *, real: bool, scaled: bool) -> None:
        self.vector = b.ndim == 1
        self.split = real and dtype.kind == "c"
        self.dtype = dtype
        self.working: np.dtype[Any] = dtype.type(0).real.dtype if self.split else dtype
        raw = self._columns(b)
        norms = column_norms(raw)
        self.unit = power_of_two(norms) if scaled else np.ones_like(norms)
        self.b_norm = self.norms(norms / self.unit)
        self.B = self.scale(b)

    def scale(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return right-hand sides or first iterates as scaled columns."""
        with np.errstate(over="ignore"):
            return (self._columns(array) / self.unit).astype(self.working)

    def _columns(self, array: NDArray[Any]) -> NDArray[Any]:
        columns = array[:, None] if array.ndim == 1 else array
        if self.split:
            return np.hstack([columns.real, columns.imag])
        return columns.astype(self.working, copy=False)

    def solution(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return scaled columns in the caller's shape."""
        with np.errstate(over="ignore"):
            X = (X * self.unit).astype(self.working)
        if self.split:
            half = X.shape[1] // 2
            X = X[:, :half] + 1j * X[:, half:]
        return (X[:, 0] if self.vector else X).astype(self.dtype, copy=False)

    def norms(self, norms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return norms of scaled columns as norms of the caller's columns."""
        norms = norms * self.unit
        if self.split:
            half = len(norms) // 2
            norms = np.hypot(norms[:half], norms[half:])
        return norms
