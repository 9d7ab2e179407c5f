"""Error bars of traces hold what they say, and tolerances are met as often as promised."""

import numpy as np
import pytest
from controls.trace import repeated_vectors
from trace_cases import SPECTRA, hermitian

import rnla

METHODS = ["hutchinson", "hutchpp", "na_hutchpp", "xtrace", "xnystrace"]


@pytest.mark.parametrize("spectrum", ["flat", "poly", "exp"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("runs", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_intervals_hold_the_trace(method, spectrum, runs, rng):
    """At 95 % nominal no less than 90 % do, up to three standard deviations of that count."""
    A = hermitian(rng, SPECTRA[spectrum](200))
    held = []
    for _ in range(runs):
        low, high = rnla.trace(A, 60, method=method, assume="psd", rng=rng).confidence_interval()
        held.append(low <= np.trace(A) <= high)
    assert np.mean(held) >= 0.9 - 3 * np.sqrt(0.09 / runs)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("runs", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_a_tolerance_is_missed_less_often_than_allowed(spectrum, runs, rng):
    """A-Hutch++ may miss with twice the failure probability; it is far from that."""
    A = hermitian(rng, SPECTRA[spectrum](300))
    exact = np.trace(A)
    rtol = 0.03 if spectrum in ("flat", "step") else 0.003
    missed = []
    for _ in range(runs):
        estimate = rnla.trace(A, rtol=rtol, confidence=0.9, rng=rng)
        missed.append(abs(estimate.value - exact) > rtol * exact)
    assert np.mean(missed) <= 0.2


def drifting(rng, n=150, steps=20):
    """A sequence that goes on in one direction, so that repeated vectors err alike every time."""
    A, change = hermitian(rng, np.linspace(1, 3, n)), hermitian(rng, np.linspace(-1, 1, n))
    return [A + 0.3 * step * change for step in range(steps + 1)]


def chain(matrices, products, seed):
    """Delta-shift all along a sequence, with one integer as the seed of every step."""
    estimate = rnla.trace(matrices[0], products, method="hutchinson", rng=seed)
    for A in matrices[1:]:
        estimate = rnla.trace(A, products, previous=estimate, rng=seed)
    return estimate


@pytest.mark.parametrize("runs", [60, pytest.param(600, marks=pytest.mark.slow)])
def test_intervals_of_a_sequence_hold_with_one_seed_for_all_steps(runs, rng):
    matrices = drifting(rng)
    exact = np.trace(matrices[-1])
    held, sure = [], []
    for seed in range(runs):
        low, high = chain(matrices, 40, seed).confidence_interval()
        held.append(low <= exact <= high)
        value, stderr = repeated_vectors(matrices, 40, rng)
        sure.append(abs(value - exact) <= 2 * stderr)
    assert np.mean(held) >= 0.9 - 3 * np.sqrt(0.09 / runs)
    assert np.mean(sure) < 0.75


@pytest.mark.parametrize("runs", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_an_error_bar_from_few_samples_is_inherited_with_their_number(runs, rng):
    A = hermitian(rng, np.linspace(10, 11, 150))
    held = []
    for seed in range(runs):
        first = rnla.trace(A, 3, method="hutchinson", rng=seed)
        after = rnla.trace(1.01 * A, 100, previous=first, rng=seed)
        held.append(abs(after.value - 1.01 * np.trace(A)) <= after.radius())
        assert after.degrees_of_freedom < 3
    assert np.mean(held) >= 0.9 - 3 * np.sqrt(0.09 / runs)


def test_a_sequence_is_reproducible(rng):
    matrices = drifting(rng, steps=3)
    assert chain(matrices, 20, 5).value == chain(matrices, 20, 5).value
    assert chain(matrices, 20, 5).value != chain(matrices, 20, 6).value
