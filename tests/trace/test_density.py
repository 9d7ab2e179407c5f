"""Spectral densities: smoothed, normalised, with an error at every point."""

import function_cases as cases
import numpy as np
import pytest
import scipy.sparse

from rnla import Status, spectral_density, trace_function


def smoothed(eigenvalues, points, width):
    z = (points[:, None] - eigenvalues) / width
    return np.exp(-(z**2) / 2).mean(axis=1) / (width * np.sqrt(2 * np.pi))


@pytest.mark.parametrize("matvecs", [None, 10])
def test_legacy_generators_are_refused_by_every_method(matvecs):
    with pytest.raises(TypeError, match="`rng` must be None, a seed or"):
        spectral_density(np.eye(30), matvecs, rng=np.random.RandomState(0))


@pytest.mark.parametrize("degree", [None, 30])
def test_laplacian(degree, rng):
    A, eigenvalues = cases.laplacian(60)
    density = spectral_density(A, 480, degree=degree, rng=rng)
    assert density.method == "slq"
    assert density.n_matvec <= 480
    assert density.points.shape == density.value.shape == density.stderr.shape == (200,)
    exact = smoothed(eigenvalues, density.points, density.width)
    low, high = density.confidence_interval(0.99)
    assert np.mean((low <= exact) & (exact <= high)) > 0.9
    assert abs(density.value - exact).max() < 0.1 * exact.max()
    assert np.trapezoid(density.value, density.points) == pytest.approx(1, abs=0.01)


def test_more_detail_than_the_steps_resolve_shows_in_the_error(rng):
    A, eigenvalues = cases.laplacian(50)
    points = np.linspace(0, 8, 50)
    density = spectral_density(A, 160, points=points, width=0.01, degree=20, rng=rng)
    exact = smoothed(eigenvalues, points, 0.01)
    error = abs(density.value - exact)
    assert error.mean() > 0.1 * exact.mean()
    assert density.bias.mean() > 0.2 * error.mean()


def test_small_matrices_are_exact(rng):
    eigenvalues = np.array([1.0, 2.0, 2.0, 5.0])
    A = cases.with_spectrum(eigenvalues, rng)
    points = np.array([0.0, 2.0, 4.9])
    density = spectral_density(A, points=points, width=0.3)
    assert density.status is Status.EXACT
    assert density.value == pytest.approx(smoothed(eigenvalues, points, 0.3), rel=1e-10)
    assert np.trapezoid(spectral_density(A).value, spectral_density(A).points) == pytest.approx(
        1, abs=0.01
    )


def test_one_eigenvalue_has_no_range(rng):
    density = spectral_density(scipy.sparse.eye_array(3000) * 2.0, rng=rng)
    assert np.trapezoid(density.value, density.points) == pytest.approx(1, abs=0.01)
    assert density.points[np.argmax(density.value)] == pytest.approx(2, abs=0.01)
    assert spectral_density(np.zeros((3, 3))).width > 0


def test_its_quadrature_gives_traces(rng):
    A, eigenvalues = cases.laplacian(50)
    density = spectral_density(A, 200, rng=rng)
    cases.assert_covered(density.quadrature.trace(np.sqrt), np.sqrt(eigenvalues).sum())


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"width": 0}, ValueError, "`width` must be positive"),
        ({"width": -1.0}, ValueError, "`width` must lie in"),
        ({"points": [[1.0]]}, ValueError, "`points` must be real, with one axis"),
        ({"points": [1j]}, ValueError, "`points` must be real, with one axis"),
        ({"points": [np.nan]}, ValueError, "`points` must not contain NaN"),
        ({"method": "krylov_aware"}, ValueError, "`method` must be one of"),
        ({"degree": 1}, ValueError, "`degree` must be in 2"),
    ],
)
def test_bad_options(options, error, words):
    with pytest.raises(error, match=words):
        spectral_density(np.eye(4), **options)


def test_no_eigenvalues():
    with pytest.raises(ValueError, match="at least one eigenvalue"):
        spectral_density(np.zeros((0, 0)))
    assert trace_function(np.exp, np.zeros((0, 0))).value == 0
