"""The linear rate: predicted by the projected operator, and what it says about divergence."""

import numpy as np
import pytest
from epsi_cases import observed_rate, planted_hermitian, planted_singular

import rnla
from rnla import Status, epsi

SPECTRA = {
    "exponential": np.exp(-np.arange(160) / 20),
    "power": 1 / (1 + np.arange(160)),
}


@pytest.mark.parametrize("c", [0.0, 0.125, np.inf])
@pytest.mark.parametrize("size", [20, 40, 60])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_the_rate_of_one_vector_is_predicted(rng, spectrum, size, c):
    A, _ = planted_hermitian(rng, SPECTRA[spectrum])
    result = epsi(A, c=c, sketch="nystrom", sketch_size=size, predict_rate=True, rng=rng)
    assert result.success
    assert result.rate == pytest.approx(observed_rate(result.history), abs=0.01)


@pytest.mark.parametrize("size", [60, 90])
def test_the_rate_of_lazy_epsi_is_predicted(rng, size):
    A, _ = planted_hermitian(rng, SPECTRA["exponential"])
    result = epsi(A, 4, sketch="nystrom", sketch_size=size, predict_rate=True, rng=rng)
    assert result.success
    assert result.rate == pytest.approx(observed_rate(result.history), abs=0.01)


def test_the_rate_of_triplets_is_predicted(rng):
    A = planted_singular(rng, 400, np.logspace(0, -3, 50))
    result = epsi(A, sketch="gaussian", sketch_size=300, predict_rate=True, rng=rng)
    assert result.rate == pytest.approx(observed_rate(result.history), abs=0.01)


def test_a_larger_sketch_is_faster(rng):
    A = planted_singular(rng, 2000, np.logspace(0, -3, 50))
    rates = [
        np.median(
            [
                epsi(
                    A, sketch="gaussian", sketch_size=size, c=np.inf, predict_rate=True, rng=rng
                ).rate
                for _ in range(5)
            ]
        )
        for size in (300, 600, 1200)
    ]
    # At least linearly: half the error of the sketch in norm takes four times the rows.
    assert rates[0] > rates[1] > rates[2]
    assert rates[2] < 0.7 * rates[0]


def indefinite(rng, n=200, gap=0.2):
    """A spectrum with a gap, and a surrogate whose error has both signs."""
    values = np.r_[1.0, (1 - gap) * np.exp(-np.arange(n - 1) / 20)]
    A, Q = planted_hermitian(rng, values)
    E = rng.standard_normal((n, n))
    E = E + E.T
    return A, Q, E


def test_epsi_diverges_for_an_indefinite_error_and_says_so(rng):
    A, Q, E = indefinite(rng)
    # No first-order effect on the eigenvalue: the shift meets the surrogate's own.
    u = Q[:, :1]
    E = E - u * (u.T @ E @ u)[0, 0] @ u.T
    surrogate = A + 0.3 * 0.2 * E / np.linalg.norm(E, 2)
    start = u + 1e-3 * rng.standard_normal(u.shape)
    with pytest.warns(rnla.ConvergenceWarning):
        plain = epsi(A, surrogate=surrogate, v0=start, predict_rate=True, rng=rng)
    assert not plain.success
    assert plain.status in (Status.DIVERGED, Status.STAGNATED)
    assert plain.rate > 1
    # What is returned is the best that was seen, not the last.
    assert plain.residual_norms[0] == plain.residual_history.min()
    robust = epsi(A, surrogate=surrogate, v0=start, c=np.inf, predict_rate=True, rng=rng)
    assert robust.success
    assert robust.rate < 1
    np.testing.assert_allclose(robust.values, 1, rtol=1e-12)


def test_divergence_has_a_status_of_its_own(rng):
    A, Q, _ = indefinite(rng)
    # The surrogate has the second eigenvalue on the wrong side of the first.
    surrogate = A + 0.4 * Q[:, 1:2] @ Q[:, 1:2].T
    start = Q[:, :1] + 1e-6 * rng.standard_normal((200, 1))
    with pytest.warns(rnla.ConvergenceWarning, match="the certificate rose"):
        result = epsi(A, surrogate=surrogate, v0=start, predict_rate=True, rng=rng)
    assert result.status is Status.DIVERGED
    assert result.rate > 1


def test_a_full_basis_has_nothing_left_to_converge(rng):
    A, _ = planted_hermitian(rng, np.arange(1.0, 6))
    assert epsi(A, 5, predict_rate=True, rng=rng).rate == 0
