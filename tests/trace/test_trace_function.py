"""Traces of functions: known answers, and error bars that hold both errors."""

import function_cases as cases
import numpy as np
import pytest
import scipy.sparse
from controls import functions as controls
from function_cases import assert_coverage, assert_covered, assert_unbiased, with_spectrum

from rnla import Status, trace_function
from rnla.trace._input import as_operand
from rnla.trace._probes import Probes
from rnla.trace._vectors import VectorStream

METHODS = ["auto", "slq", "krylov_aware", "fun_nystrom"]


@pytest.mark.parametrize("method", METHODS)
def test_a_tolerance_is_met_on_a_decaying_spectrum(method, rng):
    eigenvalues = np.arange(1.0, 2501) ** -1.5
    A = scipy.sparse.diags_array(eigenvalues)
    # Signs would be exact on a diagonal matrix.
    options = {"test_vectors": "sphere"} if method in ("slq", "fun_nystrom") else {}
    exact = np.sqrt(eigenvalues).sum()
    estimate = trace_function(np.sqrt, A, rtol=0.05, method=method, rng=rng, **options)
    assert estimate.success
    assert estimate.status is Status.CONVERGED
    assert estimate.radius() <= 0.05 * estimate.value
    assert_covered(estimate, exact)
    assert estimate.method == ("krylov_aware" if method == "auto" else method)


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("matvecs", [4, 7, 60, 333])
def test_a_budget_is_kept(method, matvecs, rng):
    A = scipy.sparse.diags_array(np.linspace(0.5, 2, 600))
    estimate = trace_function(np.exp, A, matvecs, method=method, test_vectors="sphere", rng=rng)
    assert estimate.status is Status.COMPLETED
    assert 0.4 * matvecs <= estimate.n_matvec <= matvecs
    if matvecs > 7:
        assert_covered(estimate, np.exp(A.diagonal()).sum())


def test_deflation_of_a_flat_spectrum_is_soon_given_up(rng):
    A, eigenvalues = cases.laplacian(140)
    estimate = trace_function(np.log, A, 600, rng=rng)
    assert estimate.quadrature.deflated.weights.sum() <= 600 / 16
    assert_covered(estimate, np.log(eigenvalues).sum())
    # Its error is that of sampling alone with as many products, or less.
    plain = trace_function(np.log, A, 600, method="slq", test_vectors="sphere", rng=rng)
    assert estimate.radius() < 1.5 * plain.radius()


def test_deflation_goes_on_where_it_pays_late():
    eigenvalues = np.exp(-np.arange(3000) / 60)
    A = scipy.sparse.diags_array(eigenvalues).tocsr()
    estimate = trace_function(lambda x: x / (x + 0.1), A, 600, rng=0)
    assert estimate.quadrature.deflated.weights.sum() > 200


def test_samples_take_no_more_steps_than_their_spread_asks_for():
    A, eigenvalues = cases.laplacian(60)
    exact = np.log(eigenvalues).sum()

    def run(seed):
        return trace_function(np.log, A, 600, method="slq", test_vectors="sphere", rng=seed)

    estimates = [run(seed) for seed in range(10)]
    assert np.mean([each.bias / each.stderr for each in estimates]) < 0.15
    steps = [rule.steps for each in estimates for rule in each.quadrature.probes]
    assert np.mean(steps) < 36
    assert_coverage(run, exact, 20)


def test_one_quadrature_for_all_temperatures(rng):
    H = cases.ising(12)
    lowest = -24.0
    estimate = trace_function(lambda x: np.exp(-(x - lowest)), H, 640, rng=rng)
    assert estimate.method == "krylov_aware"
    assert estimate.n_matvec <= 640
    for beta in (0.05, 0.3, 1.0, 3.0, 30.0):
        found = estimate.quadrature.trace(lambda x, beta=beta: np.exp(-beta * (x - lowest)))
        exact = np.exp(cases.ising_log_partition(12, beta) + beta * lowest)
        assert found.n_matvec == estimate.n_matvec
        assert_covered(found, exact)
        assert found.radius() < 0.02 * exact


def test_the_free_fermion_spectrum_is_right():
    for spins, field in ((4, 0.3), (6, 1.0), (8, 2.0)):
        energies = np.linalg.eigvalsh(cases.ising(spins, field).toarray())
        for beta in (0.1, 1.3):
            exact = np.log(np.exp(-beta * energies).sum())
            assert cases.ising_log_partition(spins, beta, field) == pytest.approx(exact, rel=1e-12)


def test_reuse_is_the_same_as_a_run_of_its_own(rng):
    A, _ = cases.laplacian(50)
    seed = int(rng.integers(1000))
    options = {"method": "slq", "degree": 12, "rng": seed}
    first = trace_function(np.sqrt, A, 240, **options)
    other = trace_function(np.exp, A, 240, **options)
    again = first.quadrature.trace(np.exp)
    assert again.value == other.value
    assert again.stderr == other.stderr
    assert again.bias == other.bias
    assert first.quadrature.weights @ np.exp(first.quadrature.nodes) == pytest.approx(other.value)
    assert first.quadrature.weights.sum() == pytest.approx(2500)


@pytest.mark.parametrize("method", METHODS[:3])
@pytest.mark.parametrize("factor", [0.0, 2.5])
def test_a_multiple_of_the_identity_is_exact(method, factor):
    A = factor * scipy.sparse.eye_array(3000, format="csr")
    estimate = trace_function(lambda x: np.exp(-x), A, rtol=1e-9, method=method, rng=0)
    assert estimate.value == pytest.approx(3000 * np.exp(-factor), rel=1e-12)
    assert estimate.success
    assert estimate.bias == 0
    assert estimate.n_matvec <= 8


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_precisions_and_complex_matrices(method, dtype, rng):
    eigenvalues = np.linspace(0.1, 1, 200) ** 3
    A = with_spectrum(eigenvalues, rng, dtype)
    estimate = trace_function(np.sqrt, A, 120, method=method, rng=rng)
    assert isinstance(estimate.value, float)
    assert_covered(estimate, np.sqrt(eigenvalues).sum())
    assert estimate.radius() < 0.1 * estimate.value


def test_complex_vectors_halve_the_variance(rng):
    A = with_spectrum(np.linspace(0, 1, 60), rng).astype(np.complex128)
    variances = {}
    for kind in ("signs", "steinhaus"):
        run = trace_function(np.exp, A, 4000, method="slq", degree=8, test_vectors=kind, rng=rng)
        variances[kind] = np.var(run.samples)
    assert 1.4 < variances["signs"] / variances["steinhaus"] < 2.8


EIGENVALUES = np.array([5, 3, 1, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02])


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("slq", "signs"),
        ("slq", "gaussian"),
        ("slq", "sphere"),
        ("fun_nystrom", "signs"),
        ("fun_nystrom", "sphere"),
    ],
)
def test_samples_are_unbiased(method, kind, rng):
    A = with_spectrum(EIGENVALUES, rng)
    options = {"degree": 10, "method": method, "test_vectors": kind, "rng": rng}
    estimate = trace_function(np.sqrt, A, 4000, **options)
    # Ten steps are exact, so that all of the error is that of sampling.
    assert estimate.bias < 1e-6
    assert_unbiased(estimate.samples, np.sqrt(EIGENVALUES).sum())


def complement_samples(A, Q, kind, rng, count=400):
    """Samples of the trace of sqrt(A) on the complement of Q."""
    probes = Probes(
        operand=as_operand(A, hermitian=True),
        stream=VectorStream.draw(len(A), kind, A.dtype, rng),
        f=np.sqrt,
        basis=Q,
    )
    rules = probes.rules(0, count, limit=len(A), allowed=lambda *_: 0.0)
    return np.array([rule.weights @ np.sqrt(rule.nodes) for rule in rules])


@pytest.mark.parametrize("kind", ["gaussian", "sphere"])
def test_samples_of_the_complement_are_unbiased(kind, rng):
    A, Q, exact = deflated_problem()
    assert_unbiased(complement_samples(A, Q, kind, rng), exact)


def test_projected_signs_are_rejected(rng):
    # A control: what is left of signs has a law of its own, so bringing it to one length is biased.
    A, Q, exact = deflated_problem()
    with pytest.raises(AssertionError):
        assert_unbiased(complement_samples(A, Q, "signs", rng, 4000), exact)


def deflated_problem():
    V = np.eye(10)
    V[:2, :2] = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    A = (V * EIGENVALUES) @ V.T
    Q = V[:, [0, 4, 5, 6, 7, 8]]
    return A, Q, np.sqrt(EIGENVALUES).sum() - np.sqrt(EIGENVALUES[[0, 4, 5, 6, 7, 8]]).sum()


def coverage_problem(spectrum, n=200):
    i = np.arange(1.0, n + 1)
    eigenvalues = {"flat": np.linspace(1, 3, n), "poly": i**-2, "exp": 0.9**i}[spectrum]
    return scipy.sparse.diags_array(eigenvalues).tocsr(), np.sqrt(eigenvalues).sum()


@pytest.mark.parametrize("spectrum", ["flat", "poly", "exp"])
@pytest.mark.parametrize("method", ["slq", "krylov_aware", "fun_nystrom"])
@pytest.mark.parametrize(
    ("options", "seeds"),
    [
        ({"matvecs": 100}, 20),
        pytest.param({"matvecs": 100}, 400, marks=pytest.mark.slow),
        pytest.param({"rtol": 0.1}, 200, marks=pytest.mark.slow),
    ],
)
def test_coverage(method, spectrum, options, seeds):
    A, exact = coverage_problem(spectrum)
    kind = "auto" if method == "krylov_aware" else "sphere"

    def run(seed):
        return trace_function(np.sqrt, A, method=method, test_vectors=kind, rng=seed, **options)

    assert_coverage(run, exact, seeds)


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_lanczos_without_breakdown_is_rejected(factor, rng):
    A = factor * np.eye(64)
    starts = rng.choice([-1.0, 1.0], (64, 3))
    with pytest.raises(AssertionError):
        assert_covered(controls.without_breakdown(np.sqrt, A, starts), 64 * np.sqrt(factor))


def test_a_nuclear_norm_in_two_lines(rng):
    B = rng.standard_normal((300, 250)) * np.geomspace(1, 1e-3, 250)
    estimate = trace_function(np.sqrt, lambda X: B.T @ (B @ X), 160, shape=250, rng=rng)
    assert_covered(estimate, np.linalg.norm(B, "nuc"))


@pytest.mark.slow
def test_email_network(rng):
    A = cases.graph("email-Enron")
    squares = A @ A
    triangles = squares.multiply(A).sum() / 6
    cubes = trace_function(lambda x: x**3 / 6, A, 400, rng=rng)
    assert_covered(cubes, triangles)
    assert cubes.radius() < 0.1 * triangles
    top = scipy.sparse.linalg.eigsh(A, 40, which="LA", return_eigenvectors=False)
    largest = np.max(top)
    # The Estrada index: those below the top forty add less than rounding.
    assert len(A.indptr) * np.exp(np.min(top) - largest) < 1e-14
    exact = np.exp(top - largest).sum()
    for rtol in (1e-3, 1e-6):
        estrada = trace_function(lambda x: np.exp(x - largest), A, rtol=rtol, rng=rng)
        assert estrada.radius() <= rtol * estrada.value
        assert abs(estrada.value - exact) <= 2 * estrada.radius() + 1e-12
    # At a temperature where all eigenvalues count: four terms of the series by sparse products,
    # and a bound on the others.
    beta = 1 / largest
    series = A.shape[0] + beta**2 * A.nnz / 2 + beta**3 * triangles
    series += beta**4 * (squares.data**2).sum() / 24
    rest = A.nnz / largest**2 * (np.e - 1 - 1 - 1 / 2 - 1 / 6 - 1 / 24)
    warm = trace_function(lambda x: np.exp(beta * x), A, 400, rng=rng)
    assert abs(warm.value - series) <= 2 * warm.radius() + rest
    assert warm.radius() + rest < 1e-3 * series


def test_the_spread_of_seeds_is_what_the_error_bar_says():
    A = scipy.sparse.diags_array(np.arange(1.0, 201) ** -1).tocsr()
    runs = [trace_function(np.sqrt, A, 120, rng=seed) for seed in range(40)]
    values = np.array([run.value for run in runs])
    bars = np.array([run.stderr for run in runs])
    assert 0.6 < np.sqrt(np.mean(bars**2)) / values.std(ddof=1) < 1.6


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("scale", [1e-250, 1e250])
def test_values_whose_squares_overflow(method, scale):
    A, eigenvalues = cases.laplacian(20)
    plain = trace_function(np.sqrt, A, 120, method=method, rng=4)
    scaled = trace_function(lambda x: scale * np.sqrt(x), A, 120, method=method, rng=4)
    assert scaled.value == pytest.approx(scale * plain.value, rel=1e-9)
    assert scaled.stderr == pytest.approx(scale * plain.stderr, rel=1e-9)
    assert scaled.bias == pytest.approx(scale * plain.bias, rel=1e-6)
    assert_covered(scaled, scale * np.sqrt(eigenvalues).sum())
