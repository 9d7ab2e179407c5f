"""Compile ahead of the first real call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from scipy.sparse import csr_array

from rnla._core.checks import inexact_dtype
from rnla.lstsq._api import lstsq_refine

_ROWS = 1000
_COLUMNS = 70


def warmup(dtype: DTypeLike = np.float64) -> None:
    """Compile the kernels that `rnla.lstsq_refine` needs, so that the first call is fast.

    Numba compiles a kernel when it is first called and keeps it in its cache folder; with a warm
    cache this takes a fraction of a second.

    Parameters
    ----------
    dtype : dtype, default float64
        Of the matrices that will be solved: float32, float64, complex64 or complex128.

    Raises
    ------
    TypeError
        If the dtype is not one of these.

    Examples
    --------
    >>> import rnla
    >>> rnla.warmup()
    """
    chosen = inexact_dtype(dtype, "dtype")
    # Wide enough for the panels of a sketch, and too tall for the tiny-problem path.
    A = np.random.default_rng(0).standard_normal((_ROWS, _COLUMNS)).astype(chosen)
    b = np.ones(_ROWS, chosen)
    forms: list[Any] = [A, np.asfortranarray(A), csr_array(A), A[:, :2]]
    for form in forms:
        lstsq_refine(form, b, method="spir", sketch_size=_COLUMNS * 4, rng=0)
    lstsq_refine(A[:9, :3].copy(), b[:9])
