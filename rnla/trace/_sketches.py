"""Sketches of A that grow from round to round, every product kept and used again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.trace._basis import Basis, Columns
from rnla.trace._input import Operand
from rnla.trace._rounds import Budget, norm
from rnla.trace._vectors import VectorStream

_START = 8
_GROWTH = 1.5


@dataclass(frozen=True)
class RangeSketch:
    """The factors of ``A Omega = Q R`` and products with Q.

    Attributes
    ----------
    Omega : ndarray, shape (n, k)
        Test vectors.
    Q, R : ndarray, shapes (n, k) and (k, k)
        The factors.
    Z : ndarray, shape (n, k)
        ``A Q`` or ``A* Q``.
    size : float
        Root mean square of the columns of A Omega: an estimate of ``||A||_F``.
    """

    Omega: NDArray[Any]
    Q: NDArray[Any]
    R: NDArray[Any]
    Z: NDArray[Any]
    size: float


def range_sketches(
    operand: Operand, vectors: VectorStream, budget: Budget, *, adjoint: bool = False
) -> Iterator[RangeSketch | None]:
    """Yield sketches with more and more columns, two products each.

    Parameters
    ----------
    operand : Operand
        The matrix.
    vectors : VectorStream
        Test vectors.
    budget : Budget
        Products to make.
    adjoint : bool
        Whether Z is ``A* Q``.

    Yields
    ------
    RangeSketch or None
        None, as the last one, where n products more would be as cheap as another sketch.
    """
    n = operand.shape[1]
    basis = Basis(n, operand.dtype)
    kept, products = Columns(n, operand.dtype), Columns(n, operand.dtype)
    size = 0.0
    for target in _targets(operand, budget, cost=2):
        if target == 0:
            yield None
            return
        new = vectors.columns(kept.width, target)
        Y = operand.product(new)
        kept.append(new)
        del new
        size = float(np.hypot(size, norm(Y)))
        Q = basis.extend(Y)
        del Y
        products.append(operand.adjoint_product(Q) if adjoint else operand.product(Q))
        del Q
        yield RangeSketch(kept.array, basis.Q, basis.R, products.array, size / np.sqrt(target))


@dataclass(frozen=True)
class NystromSketch:
    """Test vectors and products with them.

    Attributes
    ----------
    Omega : ndarray, shape (n, s)
        Test vectors.
    Y : ndarray, shape (n, s)
        ``A Omega``, for the receiver to destroy.
    size : float
        Root mean square of the columns of Y: an estimate of ``||A||_F``.
    """

    Omega: NDArray[Any]
    Y: NDArray[Any]
    size: float


def nystrom_sketches(
    operand: Operand, vectors: VectorStream, budget: Budget
) -> Iterator[NystromSketch | None]:
    """Yield sketches with more and more columns, one product each.

    Parameters
    ----------
    operand : Operand
        The matrix.
    vectors : VectorStream
        Test vectors.
    budget : Budget
        Products to make.

    Yields
    ------
    NystromSketch or None
        None, as the last one, where n products more would be as cheap as another sketch.
    """
    n = operand.shape[1]
    kept, products = Columns(n, operand.dtype), Columns(n, operand.dtype)
    for target in _targets(operand, budget, cost=1):
        if target == 0:
            yield None
            return
        new = vectors.columns(kept.width, target)
        product = operand.product(new)
        # An operator may return its argument, and what comes after needs Y.
        keep = budget.adaptive or not product.flags.writeable or np.shares_memory(product, new)
        kept.append(new)
        del new
        products.append(product)
        del product
        Y = products.array
        sketch = NystromSketch(kept.array, Y.copy() if keep else Y, norm(Y) / np.sqrt(target))
        del Y
        # None of it is held on to here while the receiver works.
        yield sketch
        del sketch


def _targets(operand: Operand, budget: Budget, *, cost: int) -> Iterator[int]:
    """Yield how many test vectors there are to be in all; 0 where n products are as cheap."""
    n = operand.shape[1]
    used = operand.n_matvec
    made = 0
    target = _START if budget.adaptive else budget.left(0) // cost
    while True:
        left = budget.left(operand.n_matvec - used)
        if cost * target >= n and left >= n:
            yield 0
            return
        # n vectors would be as good as the identity, but `left` products may not be enough for it.
        target = min(target, made + left // cost, n - 1)
        if target <= made:
            return
        yield target
        made, target = target, int(np.ceil(_GROWTH * target))
