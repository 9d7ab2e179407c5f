"""Lanczos: bases stay orthonormal, runs end where the space does, and nothing hides asymmetry."""

import numpy as np
import pytest
from function_cases import with_spectrum

from rnla.trace import _block_lanczos
from rnla.trace._block_lanczos import BlockLanczos
from rnla.trace._input import as_operand
from rnla.trace._lanczos import LanczosRuns
from rnla.trace._projection import project_out
from rnla.trace._rules import gauss_rule, radau_rule

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]


def block(rng, n, p, dtype):
    X = rng.standard_normal((n, p))
    return (X + (1j * rng.standard_normal((n, p)) if np.dtype(dtype).kind == "c" else 0)).astype(
        dtype
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_runs_are_those_of_the_textbook(dtype, rng):
    A = with_spectrum(np.linspace(1, 2, 40), rng, dtype)
    X = block(rng, 40, 3, dtype)
    runs = LanczosRuns(as_operand(A, hermitian=True), X)
    runs.advance(12)
    tolerance = 200 * np.finfo(dtype).eps
    for i in range(3):
        V = runs._basis[i, :13].T
        assert abs(V.conj().T @ V - np.eye(13)).max() < tolerance
        T = np.diag(runs.alpha[i]) + np.diag(runs.beta[i, :-1], 1) + np.diag(runs.beta[i, :-1], -1)
        assert abs(V[:, :12].conj().T @ A @ V[:, :12] - T).max() < tolerance
        assert abs(np.vdot(V[:, 0], X[:, i])) == pytest.approx(np.linalg.norm(X[:, i]), rel=1e-5)


def test_orthogonality_survives_converged_eigenvalues(rng):
    # Without reorthogonalisation, copies of the outlier appear after a dozen steps.
    eigenvalues = np.append(np.linspace(0, 1, 299), 1e6)
    runs = LanczosRuns(as_operand(with_spectrum(eigenvalues, rng)), block(rng, 300, 2, float))
    runs.advance(80)
    V = runs._basis[1, :81]
    assert abs(V @ V.T - np.eye(81)).max() < 1e-13
    nodes, _ = gauss_rule(runs.alpha, runs.beta[:, :-1])
    assert np.count_nonzero(nodes[0] > 1e5) == 1


SPECTRA = {
    "power": np.arange(1.0, 401) ** -2,
    "clusters": np.repeat([1e-6, 1.0, 2.0, 1e3], 100) * np.linspace(1, 1.01, 400),
    "flat": np.linspace(1, 3, 400),
}


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("dtype", DTYPES)
def test_vectors_that_are_left_alone_cost_no_accuracy(spectrum, dtype, rng):
    A = with_spectrum(SPECTRA[spectrum], rng, dtype)
    x = block(rng, 400, 1, dtype)
    runs = LanczosRuns(as_operand(A, hermitian=True), x)
    runs.advance(60)
    k = int(runs.length[0])
    V = runs._basis[0, :k].T
    eps = float(np.finfo(dtype).eps)
    assert abs(V.conj().T @ V - np.eye(k)).max() < 10 * eps ** (2 / 3)
    # What is compared is A in the space of these vectors, in double precision.
    Q, _ = np.linalg.qr(V.astype(np.result_type(dtype, np.float64)))
    eigenvalues, S = np.linalg.eigh(Q.conj().T @ A @ Q)
    nodes, weights = gauss_rule(runs.alpha[:, :k], runs.beta[:, : k - 1])
    scale = SPECTRA[spectrum].max()
    assert nodes[0] == pytest.approx(eigenvalues, rel=0, abs=100 * eps * scale)
    for f in (np.sin, lambda x: 1 / (0.1 * scale + x)):
        expected = np.sum(np.abs(S[0]) ** 2 * f(eigenvalues / scale))
        assert weights[0] @ f(nodes[0] / scale) == pytest.approx(expected, rel=200 * eps)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks_that_are_left_alone_cost_no_accuracy(spectrum, dtype, rng):
    A = with_spectrum(SPECTRA[spectrum], rng, dtype)
    lanczos = BlockLanczos(as_operand(A, hermitian=True), block(rng, 400, 2, dtype))
    while lanczos.steps < 40 and not lanczos.exhausted:
        lanczos.step()
    V = lanczos.basis(lanczos.columns)
    eps = float(np.finfo(dtype).eps)
    assert abs(V.conj().T @ V - np.eye(V.shape[1])).max() < 10 * eps ** (2 / 3)
    Q, _ = np.linalg.qr(V.astype(np.result_type(dtype, np.float64)))
    eigenvalues = np.linalg.eigvalsh(Q.conj().T @ A @ Q)
    scale = SPECTRA[spectrum].max()
    found = np.linalg.eigvalsh(lanczos.matrix(lanczos.steps))
    assert found == pytest.approx(eigenvalues, rel=0, abs=100 * eps * scale)


def test_most_blocks_are_left_alone_where_nothing_has_converged(monkeypatch, rng):
    columns = []

    def counted(Q, W):
        columns.append(Q.shape[1])
        return project_out(Q, W)

    monkeypatch.setattr(_block_lanczos, "project_out", counted)
    A = with_spectrum(SPECTRA["flat"], rng)
    lanczos = BlockLanczos(as_operand(A, hermitian=True), block(rng, 400, 2, float))
    while lanczos.steps < 40:
        lanczos.step()
    # Against all, it would be 40 * 41.
    assert sum(columns) < 40 * 41 / 3


def test_inaccurate_products_do_not_cost_orthogonality_of_blocks(rng):
    A = with_spectrum(np.arange(1.0, 201) ** -2, rng)
    error = 1e-8 * rng.standard_normal((200, 200)) / np.sqrt(200)
    operand = as_operand(lambda X: A @ X + error @ X, shape=200, hermitian=True)
    lanczos = BlockLanczos(operand, block(rng, 200, 2, float))
    while lanczos.steps < 40:
        lanczos.step()
    V = lanczos.basis(lanczos.columns)
    assert abs(V.T @ V - np.eye(80)).max() < 1e-7


def test_inaccurate_products_do_not_cost_orthogonality(rng):
    A = with_spectrum(np.arange(1.0, 201) ** -2, rng)
    error = 1e-8 * rng.standard_normal((200, 200)) / np.sqrt(200)
    operand = as_operand(lambda X: A @ X + error @ X, shape=200, hermitian=True)
    runs = LanczosRuns(operand, block(rng, 200, 2, float))
    runs.advance(50)
    for V in runs._basis[:, :50]:
        assert abs(V @ V.T - np.eye(50)).max() < 1e-7


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("factor", [0.0, 3.0, -1e-20, 1e20])
def test_a_multiple_of_the_identity_takes_one_step(dtype, factor, rng):
    operand = as_operand(factor * np.eye(50, dtype=dtype))
    runs = LanczosRuns(operand, block(rng, 50, 4, dtype))
    runs.advance(10)
    assert runs.exhausted.all()
    assert set(runs.length) == {1}
    assert operand.n_matvec == 4
    assert runs.alpha[:, 0] == pytest.approx(factor, rel=1e-5)


def test_runs_end_one_by_one(rng):
    # Starts in the span of 1, 2 and all eigenvectors.
    A = np.diag(np.arange(1.0, 31))
    X = np.zeros((30, 3))
    X[4, 0] = X[2, 1] = X[9, 1] = 1
    X[:, 2] = rng.standard_normal(30)
    operand = as_operand(A)
    runs = LanczosRuns(operand, X)
    runs.advance(8)
    assert list(runs.length) == [1, 2, 8]
    assert list(runs.active) == [2]
    assert operand.n_matvec == 11
    nodes, weights = gauss_rule(runs.alpha[1:2, :2], runs.beta[1:2, :1])
    assert nodes[0] == pytest.approx([3, 10])
    assert weights[0] == pytest.approx([0.5, 0.5])
    runs.advance(100)
    assert runs.exhausted.all()
    assert operand.n_matvec == 33


@pytest.mark.parametrize("start", [LanczosRuns, BlockLanczos])
def test_asymmetry_is_noticed(start, rng):
    A = rng.standard_normal((60, 60))
    lanczos = start(as_operand(A, hermitian=True), block(rng, 60, 2, float))
    with pytest.raises(ValueError, match="`A` must be Hermitian: products"):
        lanczos.advance(5) if start is LanczosRuns else [lanczos.step() for _ in range(5)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_block_lanczos_holds_the_matrix_in_its_space(dtype, rng):
    A = with_spectrum(np.linspace(-1, 2, 50), rng, dtype)
    lanczos = BlockLanczos(as_operand(A, hermitian=True), block(rng, 50, 3, dtype))
    for _ in range(6):
        lanczos.step()
    Q = lanczos.basis(lanczos.columns)
    tolerance = 300 * np.finfo(dtype).eps
    assert Q.shape == (50, 18)
    assert abs(Q.conj().T @ Q - np.eye(18)).max() < tolerance
    assert abs(Q.conj().T @ A @ Q - lanczos.matrix(lanczos.steps)).max() < tolerance


def test_block_lanczos_loses_what_is_invariant(rng):
    # Rank 5 and a null space: blocks of 4 span 4 + 4 + 1 columns.
    eigenvalues = np.append(np.arange(1.0, 6), np.zeros(45))
    operand = as_operand(with_spectrum(eigenvalues, rng))
    lanczos = BlockLanczos(operand, block(rng, 50, 4, float))
    while not lanczos.exhausted:
        lanczos.step()
    assert lanczos.columns == 9
    found = np.linalg.eigvalsh(lanczos.matrix(lanczos.steps))
    assert found == pytest.approx([0, 0, 0, 0, 1, 2, 3, 4, 5], abs=1e-12)


def test_block_lanczos_fills_the_whole_space(rng):
    A = with_spectrum(np.arange(10.0), rng)
    lanczos = BlockLanczos(as_operand(A), block(rng, 10, 3, float))
    while not lanczos.exhausted:
        lanczos.step()
    assert lanczos.columns == 10
    assert np.linalg.eigvalsh(lanczos.matrix(lanczos.steps)) == pytest.approx(
        np.arange(10.0), abs=1e-12
    )


def test_radau_rules_bracket_the_integral(rng):
    eigenvalues = np.geomspace(1e-3, 1, 60)
    A = with_spectrum(eigenvalues, rng)
    X = block(rng, 60, 5, float)
    exact = ((X / np.linalg.norm(X, axis=0)) * (_function(A, np.log) @ X)).sum(axis=0)
    exact /= np.linalg.norm(X, axis=0)
    runs = LanczosRuns(as_operand(A), X)
    for steps in (3, 6, 10):
        runs.advance(steps)
        sums = {}
        rules = {
            "gauss": gauss_rule(runs.alpha, runs.beta[:, :-1]),
            "low": radau_rule(runs.alpha, runs.beta, 1e-3),
            "high": radau_rule(runs.alpha, runs.beta, 1.0),
        }
        for name, (nodes, weights) in rules.items():
            assert weights.sum(axis=1) == pytest.approx(1)
            sums[name] = (weights * np.log(nodes)).sum(axis=1)
        assert rules["low"][0].min(axis=1) == pytest.approx(1e-3)
        assert rules["high"][0].max(axis=1) == pytest.approx(1.0)
        assert (sums["low"] < exact).all()
        assert (exact < sums["high"]).all()
        assert (sums["high"] < sums["gauss"]).all()


def _function(A, f):
    eigenvalues, V = np.linalg.eigh(A)
    return (V * f(eigenvalues)) @ V.T
