"""Values that a search has not resolved may hide wanted ones: no certificate before they are."""

import warnings

import eigen_cases as cases
import numpy as np
import pytest

from rnla import ConvergenceWarning, eigsh
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
# Copies at one end, of which a block finds two at once, and a cluster of seven at the other.
COPIES = spectrum(
    2 * np.sin(np.pi * np.arange(1, 1501) / 3002) ** 2,
    *[(-2.0859994, 3, 0.0), (2.0859994, 7, 2e-7), (2.0259995, 6, 2e-7), (2.006, 2, 0.0)],
)


def ignore_what_is_unresolved(monkeypatch):
    """The negative control."""
    for module in (_lanczos, _verify):
        monkeypatch.setattr(module, "unresolved", lambda *_: np.empty(0, np.intp))


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


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("waits", [True, False])
def test_a_cluster_wider_than_the_block_gets_no_false_certificate(waits, dtype, rng, monkeypatch):
    if not waits:
        ignore_what_is_unresolved(monkeypatch)
    A = cases.block_diagonal(COPIES, rng).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = solve(A, 2, which="LM", tol=0, ncv=11, maxiter=60, rng=rng)
    wanted = np.sort(np.abs(COPIES))[-2:]
    right = bool(np.abs(np.sort(np.abs(result.values)) - wanted).max() < 1e-9)
    assert (right or not result.verified) == waits


def test_what_stays_unresolved_is_said(rng, monkeypatch):
    """As if values near the wanted ones never came to rest."""
    A = cases.block_diagonal(spectrum(np.linspace(0, 1, 600), (1.3, 1, 0.0)), rng)

    def verdict(probe, *_):
        probe.doubtful = True
        return False

    monkeypatch.setattr(_verify.Probe, "verdict", verdict)
    with pytest.warns(ConvergenceWarning, match="could not be resolved"):
        result = solve(A, 1, which="LA", rng=rng)
    assert result.success
    assert not result.verified
    assert abs(result.values[0] - 1.3) < 1e-13
    with pytest.warns(ConvergenceWarning, match="could not be resolved"):
        assert abs(eigsh(A, 1, which="LA", return_eigenvectors=False, rng=rng)[0] - 1.3) < 1e-13
