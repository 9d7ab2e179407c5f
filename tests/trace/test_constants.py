"""Constants that statistics would hardly tell from those beside them."""

import numpy as np
import pytest
from scipy.stats import chi2
from trace_cases import SPECTRA, hermitian

import rnla


@pytest.mark.parametrize("method", ["hutchpp", "a_hutchpp", "xtrace", "xnystrace"])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_resphered_vectors_do_not_see_a_multiple_of_the_identity(method, dtype, rng):
    options = {"rtol": 0.1} if method == "a_hutchpp" else {"matvecs": 12}
    A = 3 * np.eye(60, dtype=dtype)
    estimate = rnla.trace(A, method=method, assume="psd", rng=rng, **options)
    assert estimate.value == pytest.approx(180, rel=1e-12)


def test_a_hutchpp_makes_the_products_that_its_proof_asks_for(rng):
    """For the rest B of A that is ``4 log(2 / delta) ||B||_F^2 / (alpha eps^2)``."""
    spectrum = SPECTRA["flat"](1000)
    estimate = rnla.trace(hermitian(rng, spectrum), rtol=0.01, assume="psd", rng=rng)
    squares, samples = np.sum(spectrum**2), len(estimate.samples)
    alpha = chi2.ppf(0.05, samples) / samples
    assert samples == pytest.approx(4 * np.log(40) * squares / (alpha * 20**2), rel=0.1)
    assert estimate.stderr == pytest.approx(np.sqrt(2 * squares / samples), rel=0.1)


def test_the_shift_of_a_sequence_has_the_least_variance(rng):
    A = hermitian(rng, np.linspace(1, 3, 300))
    first = rnla.trace(A, 20, method="hutchinson", rng=rng)
    after = rnla.trace(A, 80, previous=first, rng=rng)
    square = np.linalg.norm(A) ** 2
    best = square / (first.stderr**2 * 40 / 2 + square)
    assert float(after.method.split("=")[1][:-1]) == pytest.approx(best, rel=0.01)
