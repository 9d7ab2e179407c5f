"""The exact trace, from products with the columns of the identity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rnla.trace._assumptions import check_form
from rnla.trace._input import Operand
from rnla.trace._rounds import Round, norm, rounding_floor


def identity_blocks(operand: Operand) -> Iterator[tuple[slice, NDArray[np.inexact]]]:
    """Yield ``A E`` for blocks E of columns of the identity, and where they stand."""
    n = operand.shape[1]
    for start in range(0, n, operand.width):
        stop = min(n, start + operand.width)
        E = np.zeros((n, stop - start), operand.dtype)
        E[np.arange(start, stop), np.arange(stop - start)] = 1
        columns = operand.product(E)
        # A row norm of A is taken of any matrix, a trace of a square one.
        if operand.hermitian:
            corner = columns[start:stop].astype(np.result_type(operand.dtype, np.float64))
            check_form(operand, corner, 0.0)
        yield slice(start, stop), columns


def exact_rounds(operand: Operand, method: str = "exact") -> Iterator[Round]:
    """Yield one round: the sum of the diagonal, after n products."""
    double = np.result_type(operand.dtype, np.float64)
    diagonal = np.empty(operand.shape[1], double)
    for part, columns in identity_blocks(operand):
        diagonal[part] = np.diagonal(columns[part])
    if operand.hermitian:
        diagonal = diagonal.real
    yield Round(
        value=diagonal.sum().item(),
        stderr=0.0,
        floor=rounding_floor(operand, norm(diagonal)),
        method=method,
        exact=True,
    )
