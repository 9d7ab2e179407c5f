"""Bias and variance of the estimators, as z-scores and chi-squares over many draws."""

from functools import partial

import numpy as np
import pytest
from controls.trace import BIASED
from scipy.stats import chi2, norm
from trace_cases import general, hermitian

import rnla
from rnla.trace import (
    BKS,
    Hutchinson,
    HutchPP,
    NAHutchPP,
    UDiagPP,
    XDiag,
    XNysDiag,
    XNysTrace,
    XRowNorm,
    XSymTrace,
    XTrace,
)
from rnla.trace._vectors import VectorStream, column_dots

# Two-sided chance of a false alarm 1e-9; the seeds are fixed.
LIMIT = 6.1
N = 20


def z_score(values, expected):
    """How many standard errors the mean is away from what it should be."""
    errors = np.asarray(values) - expected
    spread = np.std(errors, axis=0, ddof=1)
    scores = abs(errors.mean(axis=0)) / np.maximum(spread, 1e-13) * np.sqrt(len(errors))
    return np.max(np.where(abs(errors).max(axis=0) > 1e-12, scores, 0.0))


def matrix(kind, rng, dtype):
    if kind == "psd":
        return hermitian(rng, 0.6 ** np.arange(N) + 0.02, dtype)
    if kind == "hermitian":
        return hermitian(rng, np.linspace(-0.5, 1, N) ** 3, dtype)
    return general(rng, N, dtype)


def vector_kinds(dtype):
    real = ["signs", "gaussian", "sphere"]
    return [*real, "steinhaus"] if dtype is np.complex128 else real


def trace_cases():
    for dtype in (np.float64, np.complex128):
        for kind in vector_kinds(dtype):
            for method, matrix_kind in (
                (Hutchinson, "general"),
                (Hutchinson, "hermitian"),
                (NAHutchPP, "psd"),
                (HutchPP, "general"),
                (XTrace, "general"),
                (XTrace, "hermitian"),
                (XNysTrace, "psd"),
            ):
                options = [{}]
                if method not in (Hutchinson, NAHutchPP):
                    options = [{"resphere": False}]
                    if kind in ("gaussian", "sphere"):
                        options.append({"resphere": True})
                for option in options:
                    chosen = method(test_vectors=kind, **option)
                    label = f"{chosen}-{matrix_kind}-{np.dtype(dtype).name}"
                    yield pytest.param(chosen, matrix_kind, dtype, id=label)


TRACES = list(trace_cases())
ASSUME = {"general": "general", "hermitian": "hermitian", "psd": "psd"}


def estimates(method, kind, dtype, rng, count):
    A = matrix(kind, rng, dtype)
    estimate = partial(rnla.trace, A, 9, assume=ASSUME[kind], method=method)
    return [estimate(rng=rng).value for _ in range(count)], np.trace(A)


# A few of them always; all of them, and ten times as often, every night.
@pytest.mark.parametrize(("method", "kind", "dtype"), TRACES[::7])
def test_traces_are_unbiased(method, kind, dtype, rng):
    values, expected = estimates(method, kind, dtype, rng, 300)
    assert z_score(values, expected) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(("method", "kind", "dtype"), TRACES)
def test_traces_are_unbiased_over_many_draws(method, kind, dtype, rng):
    values, expected = estimates(method, kind, dtype, rng, 4000)
    assert z_score(values, expected) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("rtol", [0.1, 0.3])
def test_stopping_by_samples_biases_a_hutchpp_by_little(rtol, rng):
    """It has a bias that 4,000 draws do show: one or two hundredths of the tolerance."""
    A = matrix("psd", rng, np.float64)
    values = [rnla.trace(A, rtol=rtol, method="a_hutchpp", rng=rng).value for _ in range(4000)]
    assert abs(np.mean(values) - np.trace(A)) < 0.03 * rtol * np.trace(A)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("resphere", [False, True])
def test_xsymtrace_is_unbiased_for_a_definite_matrix(dtype, resphere, rng):
    """For an indefinite one it has no mean."""
    values, expected = estimates(XSymTrace(resphere=resphere), "psd", dtype, rng, 4000)
    assert z_score(values, expected) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_hutchinsons_row_norms_are_unbiased_over_many_draws(dtype, rng):
    A = matrix("general", rng, dtype)
    estimate = partial(rnla.row_norms, A, 9, squared=True, method="hutchinson")
    values = [estimate(rng=rng).value for _ in range(4000)]
    assert z_score(values, np.sum(abs(A) ** 2, axis=1)) < LIMIT


@pytest.mark.parametrize("control", BIASED, ids=lambda control: control.__name__)
def test_biased_estimators_are_rejected(control, rng):
    # Signs need a matrix whose eigenvectors are near the axes to show their bias.
    A = np.diag(np.arange(1.0, N + 1)) + 0.3 * np.ones((N, N))
    values = [control(A, 9, rng) for _ in range(6000)]
    assert z_score(values, np.trace(A)) > LIMIT


DIAGONALS = [
    pytest.param(chosen, kind, dtype, id=f"{chosen}-{kind}-{np.dtype(dtype).name}")
    for dtype, vectors in (
        (np.float64, "signs"),
        (np.complex128, "signs"),
        (np.complex128, "steinhaus"),
    )
    for chosen, kind in (
        (BKS(test_vectors=vectors), "general"),
        (UDiagPP(test_vectors=vectors), "general"),
        (XDiag(test_vectors=vectors), "general"),
        (XNysDiag(test_vectors=vectors), "psd"),
        (XRowNorm(test_vectors=vectors), "general"),
    )
]


def diagonals(method, kind, dtype, rng, count):
    A = matrix(kind, rng, dtype)
    if isinstance(method, XRowNorm):
        expected = np.sum(abs(A) ** 2, axis=1)
        estimate = partial(rnla.row_norms, A, 12, squared=True, method=method)
    else:
        expected = np.diagonal(A)
        estimate = partial(rnla.diag, A, 9, assume=ASSUME[kind], method=method)
    return [estimate(rng=rng).value for _ in range(count)], expected


@pytest.mark.parametrize(("method", "kind", "dtype"), DIAGONALS[::2])
def test_diagonals_are_unbiased(method, kind, dtype, rng):
    values, expected = diagonals(method, kind, dtype, rng, 300)
    assert z_score(values, expected) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(("method", "kind", "dtype"), DIAGONALS)
def test_diagonals_are_unbiased_over_many_draws(method, kind, dtype, rng):
    values, expected = diagonals(method, kind, dtype, rng, 4000)
    assert z_score(values, expected) < LIMIT


def frobenius(A):
    return np.linalg.norm(A) ** 2


def off_diagonal(A):
    return frobenius(A) - frobenius(np.diagonal(A))


def deviation(A):
    return frobenius(A) - abs(np.trace(A)) ** 2 / len(A)


# Variance of one sample; for real A the symmetric part counts.
VARIANCES = {
    ("signs", np.float64): lambda A: 2 * off_diagonal(A),
    ("gaussian", np.float64): lambda A: 2 * frobenius(A),
    ("sphere", np.float64): lambda A: 2 * len(A) / (len(A) + 2) * deviation(A),
    ("steinhaus", np.complex128): off_diagonal,
    ("gaussian", np.complex128): frobenius,
    ("sphere", np.complex128): lambda A: len(A) / (len(A) + 1) * deviation(A),
}


@pytest.mark.parametrize(("kind", "dtype"), VARIANCES)
def test_variance_of_hutchinson_is_what_theory_says(kind, dtype, rng):
    """10,000 draws; the fourth moment of the samples gives the spread of their variance."""
    n, draws = 30, 10_000
    A = rng.standard_normal((n, n)) + np.diag(rng.uniform(0, 5, n))
    if dtype is np.complex128:
        A = A + 1j * rng.standard_normal((n, n))
        A = 0.5 * (A + A.conj().T)
    W = VectorStream.draw(n, kind, dtype, rng).columns(0, draws)
    samples = column_dots(W, A @ W).real
    expected = VARIANCES[kind, dtype](0.5 * (A + A.conj().T))
    deviations = (samples - np.trace(A).real) ** 2
    score = (deviations.mean() - expected) / deviations.std(ddof=1) * np.sqrt(draws)
    # The same for samples near normal, as a chi-square of n - 1 degrees of freedom.
    tail = chi2.sf(draws * deviations.mean() / expected, draws)
    assert abs(score) < LIMIT
    assert 1e-9 < tail < 1 - 1e-9
    assert abs(samples.mean() - np.trace(A).real) < LIMIT * np.sqrt(expected / draws)
    assert norm.sf(abs(score)) > 0


def test_sequences_are_unbiased_and_inherit_accuracy(rng):
    """The shift is estimated without the sample that it multiplies."""
    A, B = matrix("hermitian", rng, np.float64), matrix("hermitian", rng, np.float64)
    errors, stderrs = [], []
    for _ in range(300):
        first = rnla.trace(A, 12, method="hutchinson", rng=rng)
        second = rnla.trace(A + 0.1 * B, 8, previous=first, rng=rng)
        errors.append(second.value - np.trace(A + 0.1 * B))
        stderrs.append(second.stderr)
    assert z_score(errors, 0.0) < LIMIT
    fresh = [
        rnla.trace(A + 0.1 * B, 8, method="hutchinson", rng=rng).value - np.trace(A + 0.1 * B)
        for _ in range(300)
    ]
    assert np.std(errors) < 0.8 * np.std(fresh)
    assert 0.6 < np.mean(stderrs) / np.std(errors) < 1.6
