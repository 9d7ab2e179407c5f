"""Values that a search has not resolved may hide wanted ones: they are waited for."""

import eigen_cases as cases
import numpy as np
import pytest

from rnla.eigen import _lanczos, _verify, solve


def spectrum(bulk, *clusters):
    """A bulk and clusters: (mean, copies, spread)."""
    rng = np.random.default_rng(5)
    parts = [mean + spread * rng.standard_normal(count) for mean, count, spread in clusters]
    return np.concatenate([bulk, *parts])


# A single value at one end, and a little beyond it a cluster at the other end, which takes longer.
TWO_ENDS = spectrum(
    -np.repeat(np.arange(20) / 20, 30),
    *[(1.056, 1, 0.0), (-1.05600001, 3, 4e-8), (-1.053, 5, 1e-7), (-1.003, 2, 0.0)],
)


def ignore_what_is_unresolved(monkeypatch):
    """The negative control."""
    for module in (_lanczos, _verify):
        monkeypatch.setattr(module, "unresolved", lambda *_: False)


@pytest.mark.parametrize("dtype", [float, complex])
def test_a_cluster_at_the_other_end_is_waited_for(dtype, rng):
    A = cases.block_diagonal(TWO_ENDS, rng).astype(dtype)
    result = solve(A, 1, which="LM", tol=1e-10, rng=rng)
    assert result.verified
    assert abs(abs(result.values[0]) - np.abs(TWO_ENDS).max()) < 1e-9


@pytest.mark.parametrize("dtype", [float, complex])
def test_without_waiting_it_is_missed(dtype, rng, monkeypatch):
    ignore_what_is_unresolved(monkeypatch)
    A = cases.block_diagonal(TWO_ENDS, rng).astype(dtype)
    result = solve(A, 1, which="LM", tol=1e-10, rng=rng)
    assert abs(abs(result.values[0]) - np.abs(TWO_ENDS).max()) > 1e-8
