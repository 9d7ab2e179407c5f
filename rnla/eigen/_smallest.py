"""Smallest eigenvalues of an operator without entries: at which end of the spectrum they lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnla.eigen._basis import Basis
from rnla.eigen._problem import Standard
from rnla.eigen._select import Selection
from rnla.linalg.block import BlockOperator
from rnla.linalg.orth import orthonormal_block, random_block

_STEPS = 16
# In units of eps times the norm, by which a semidefinite operator may seem indefinite.
_ROUNDOFFS = 100.0


def definite_end(A: BlockOperator, dtype: np.dtype[Any], rng: np.random.Generator) -> str | None:
    """Return the `which` that finds the smallest magnitudes if A is semidefinite.

    Parameters
    ----------
    A : BlockOperator, shape (n, n)
        Hermitian.
    dtype : dtype
        Working precision.
    rng : Generator
        For the start.

    Returns
    -------
    str or None
        "SA" if no Ritz value of a few Lanczos steps is negative, "LA" if none is positive, None
        where A is indefinite.
    """
    basis = Basis(Standard(A, 0.0, dtype), _STEPS)
    block = orthonormal_block(random_block(rng, (A.shape[0], 1), dtype))
    while basis.size < _STEPS and block.shape[1]:
        rest = basis.extend(block)
        block = orthonormal_block(rest, basis.V, projections=basis.projections)
    ends = basis.ritz(Selection("SA", 1)).theta[[0, -1]]
    if semidefinite(ends, ends, dtype):
        return "SA"
    return "LA" if semidefinite(-ends, ends, dtype) else None


def semidefinite(values: Any, all_values: Any, dtype: np.dtype[Any]) -> bool:
    """Tell whether no value is negative by more than rounding.

    Parameters
    ----------
    values : ndarray
        The values to judge.
    all_values : ndarray
        Values that give the scale.
    dtype : dtype
        Working precision.

    Returns
    -------
    bool
        Whether all are zero or positive.
    """
    unit = _ROUNDOFFS * float(np.finfo(dtype).eps) * float(np.abs(all_values).max())
    return bool(np.min(values) >= -unit)
