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
@pytest.mark.parametrize(("spectrum", "size"), [("exponential", 60), ("power", 15), ("power", 30)])
def test_the_rate_of_one_vector_is_predicted(rng, spectrum, size, c):
    A, _ = planted_hermitian(rng, SPECTRA[spectrum])
    result = epsi(A, c=c, sketch="nystrom", sketch_size=size, predict_rate=True, rng=rng)
    assert result.success
    assert result.rate == pytest.approx(observed_rate(A, result, rng), abs=0.01)


@pytest.mark.parametrize("size", [60, 90])
def test_the_rate_of_lazy_epsi_is_predicted(rng, size):
    A, _ = planted_hermitian(rng, SPECTRA["exponential"])
    result = epsi(A, 4, sketch="nystrom", sketch_size=size, predict_rate=True, rng=rng)
    assert result.success
    assert result.rate == pytest.approx(observed_rate(A, result, rng), abs=0.01)


def test_the_rate_of_triplets_is_predicted(rng):
    A = planted_singular(rng, 400, np.logspace(0, -3, 50))
    result = epsi(A, c=np.inf, sketch="gaussian", predict_rate=True, rng=rng)
    assert result.rate == pytest.approx(observed_rate(A, result, rng, c=np.inf), abs=0.01)


def test_a_larger_sketch_is_faster(rng):
    A = planted_singular(rng, 2000, np.logspace(0, -3, 50))
    rates = [
        np.median(
            [
                epsi(A, sketch="gaussian", sketch_size=size, predict_rate=True, rng=rng).rate
                for _ in range(5)
            ]
        )
        for size in (150, 1200)
    ]
    # Eight times the rows: the error of the sketch falls to about a third of its norm.
    assert rates[1] < 0.6 * rates[0]


def indefinite(rng, n=200, gap=0.2):
    """A matrix with a gap, its leading vector, and a surrogate whose error has both signs."""
    A, Q = planted_hermitian(rng, np.r_[1.0, (1 - gap) * np.exp(-np.arange(n - 1) / 20)])
    u = Q[:, :1]
    E = rng.standard_normal((n, n))
    E = E + E.T
    # No first-order effect on the leading eigenvalue: the shift meets that of the surrogate.
    E = E - u * (u.T @ E @ u)[0, 0] @ u.T
    return A, Q, A + 0.3 * gap * E / np.linalg.norm(E, 2)


def test_epsi_diverges_for_an_indefinite_error_and_says_so(rng):
    A, Q, surrogate = indefinite(rng)
    start = Q[:, :1] + 1e-3 * rng.standard_normal((200, 1))
    with pytest.warns(rnla.ConvergenceWarning, match="left the answer"):
        plain = epsi(A, surrogate=surrogate, v0=start, predict_rate=True, rng=rng)
    assert plain.status is Status.DIVERGED
    assert plain.rate > 1
    # What is returned is the best that was seen, not the last. Later residuals may be smaller, but
    # they are those of another pair.
    assert plain.residual_norms[0] == plain.residual_history[np.argmin(plain.history), 0]
    assert plain.values[0] > 0.99
    robust = epsi(A, surrogate=surrogate, v0=start, c=np.inf, predict_rate=True, rng=rng)
    assert robust.success
    assert robust.rate < 0.5
    np.testing.assert_allclose(robust.values, 1, rtol=1e-12)


def test_an_error_in_the_direction_of_the_vector_is_no_trouble(rng):
    A, Q, surrogate = indefinite(rng)
    start = Q[:, :1] + 1e-3 * rng.standard_normal((200, 1))
    result = epsi(A, surrogate=surrogate - 0.05 * Q[:, :1] @ Q[:, :1].T, v0=start, rng=rng)
    assert result.success
    np.testing.assert_allclose(result.values, 1, rtol=1e-12)


def test_a_full_basis_has_nothing_left_to_converge(rng):
    A, _ = planted_hermitian(rng, np.arange(1.0, 6))
    assert epsi(A, 5, predict_rate=True, rng=rng).rate == 0
