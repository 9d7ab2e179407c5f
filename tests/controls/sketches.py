"""Wrong sketches: each takes a generator and X, and returns a product a law must reject."""

import numpy as np
from scipy.linalg import hadamard

from rnla.sketch import SparseSign


def five_percent_off(operator, d, rng, X):
    """The right operator, with squared norms 5 % too large."""
    return np.sqrt(1.05) * (operator(d, len(X), rng=rng) @ X)


def repeated_rows(d, rng, X):
    """A Hadamard transform whose rows are sampled with replacement."""
    m = len(X)
    H = hadamard(1 << (m - 1).bit_length())[:, :m]
    rows = rng.integers(len(H), size=d)
    return H[rows] @ (rng.choice([-1.0, 1.0], m)[:, None] * X) / np.sqrt(d)


def half_of_the_rows(d, rng, X):
    """Stacked sign sketches that never hit the upper half of the sketch."""
    out = np.zeros((d, X.shape[1]))
    out[: d // 2] = SparseSign.draw(d // 2, len(X), rng=rng) @ X
    return out


def no_signs(d, rng, X):
    """Stacked sketches without random signs."""
    return abs(SparseSign.draw(d, len(X), rng=rng).tosparse()) @ X


def one_block(d, rng, X):
    """Eight CountSketches that share one set of rows and signs."""
    S = SparseSign.draw(d // 8, len(X), zeta=1, rng=rng)
    return np.tile(S @ X, (8, 1)) / np.sqrt(8)
