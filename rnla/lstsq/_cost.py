"""The modelled time of each method, in readings of A."""

from __future__ import annotations

import numpy as np

from rnla.linalg.balance import NARROW

# Householder QR runs at this share of the speed of matrix products.
QR_SHARE = 0.35
# Readings of A that a sketch costs.
_PASSES_SKETCH = 5.0
_DECIMALS = 2 * 16 * np.log(10)
# The balance that sketch sizes are made for, on every machine.
_SKETCH_BALANCE = 20.0
# The plain product of a whitened Gram matrix suffers less from few columns.
_PRODUCT_NARROW = NARROW / 3
FACTORS = (4, 5, 6, 8, 10, 12)
# Rows added for a handful of columns, where averages mean little.
_SPARE = 8


def default_sketch_size(m: int, n: int) -> int:
    """Return the number of sketch rows with the smallest modelled cost.

    Each step of conjugate gradients gains a factor of about ``sqrt(d / n)``, and the factorization
    of the sketch costs ``2 d n**2`` flops. A multiple of n is factored in its own memory. It does
    not depend on the machine: the same seed gives the same sketch everywhere.
    """
    factor = min(FACTORS, key=lambda factor: _cost(m, n, 1, factor, _SKETCH_BALANCE))
    return min(m, n * (factor + _SPARE // max(1, n)))


def gram_passes(n: int, k: int, balance: float) -> float:
    """Return the modelled time of the Gram method in readings of A."""
    return 2 + (n + NARROW) / balance + 2 * _sweep(k, balance)


def spne_passes(m: int, n: int, k: int, balance: float) -> float:
    """Return the modelled time of SPNE in readings of A."""
    factor = default_sketch_size(m, n) / n
    products = (2 * (n + _PRODUCT_NARROW) + n + NARROW) / balance + 4 * _sweep(k, balance)
    return _PASSES_SKETCH + products + _factorization(m, n, factor, balance)


def spir_passes(m: int, n: int, k: int, sketch_size: int | None, balance: float) -> float:
    """Return the modelled time of SPIR in readings of A."""
    factor = (sketch_size or default_sketch_size(m, n)) / n
    return _cost(m, n, k, max(1.5, factor), balance)


def _cost(m: int, n: int, k: int, factor: float, balance: float) -> float:
    # Three sweeps beside the steps: the certificates of the start and of two rounds.
    steps = 3 + 1.25 * _DECIMALS / np.log(factor) / 2
    sweeps = float(steps) * _sweep(k, balance)
    return _PASSES_SKETCH + sweeps + _factorization(m, n, factor, balance)


def _sweep(k: int, balance: float) -> float:
    """Return the readings of A one step costs; with several columns it is a matrix product."""
    return 1.1 if k == 1 else max(2.2, 4 * k / balance)


def _factorization(m: int, n: int, factor: float, balance: float) -> float:
    return 2 * factor * n**2 / (QR_SHARE * balance * m)
