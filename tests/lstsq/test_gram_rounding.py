"""Roundoff of a Gram matrix makes singular matrices look regular; nothing is certified by it."""

import numpy as np
import pytest
import scipy.sparse

from rnla import lstsq_refine
from rnla.lstsq import Gram, backward_error

EPS = np.finfo(float).eps


def near_copies(m, distance, rng):
    # Equal terms, so that the errors of a long sum do not cancel either.
    first = np.full(m, 0.1)
    return np.stack([first, first * (1 + distance * rng.standard_normal(m))], axis=1)


@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("distance", [1e-9, 1e-11, 1e-13])
@pytest.mark.parametrize("m", [3000, 300_000])
def test_near_copies_of_a_column_are_solved_or_not_certified(m, distance, layout, rng):
    A = near_copies(m, distance, rng)
    b = A @ np.array([1.0, -2.0])
    result = lstsq_refine(layout(A), b, rng=0)
    assert result.success
    assert backward_error(A, b, result.x) <= 4 * EPS


@pytest.mark.parametrize("condition", [1e8, 1e10, 1e12, 1e15])
def test_the_largest_limit_accepts_nothing_singular(condition, rng):
    accepted = []
    for seed in range(40):
        left, right = (np.linalg.qr(rng.standard_normal((k, 2)))[0] for k in (4000, 2))
        A = left * [1.0, 1 / condition] @ right.T
        b = A @ rng.standard_normal(2)
        try:
            result = lstsq_refine(A, b, method=Gram(condition_limit=9e7), rng=seed)
        except ValueError:
            continue
        if result.success:
            accepted.append(backward_error(A, b, result.x))
    assert max(accepted, default=0.0) <= 4 * EPS
