"""`rnla.diag` and `rnla.row_norms`: known answers, degenerate matrices, refusals, bits."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from trace_cases import SPECTRA, general, hermitian, unitary

import rnla
from rnla import ConvergenceWarning, Status
from rnla.trace import BKS, UDiagPP, XDiag, XRowNorm

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
METHODS = ["bks", "udiagpp", "xdiag", "xnysdiag"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_value_stderr_and_count(method, dtype, rng):
    A = hermitian(rng, SPECTRA["poly"](150), dtype)
    estimate = rnla.diag(A, 60, method=method, assume="psd", rng=rng)
    exact = np.diagonal(A).real
    assert estimate.n_matvec == 60
    assert estimate.status is Status.COMPLETED
    assert estimate.value.dtype == A.real.dtype
    assert estimate.value.shape == estimate.stderr.shape == (150,)
    assert np.max(estimate.stderr) < (0.2 if method == "bks" else 0.02)
    assert np.max(abs(estimate.value - exact) / estimate.stderr) < 8
    low, high = estimate.confidence_interval(0.9999)
    assert np.mean((low <= exact) & (exact <= high)) > 0.97


@pytest.mark.parametrize("method", ["bks", "udiagpp", "xdiag"])
def test_complex_diagonals(method, rng):
    A = general(rng, 100, np.complex128)
    estimate = rnla.diag(A, 60, method=method, rng=rng)
    assert estimate.value.dtype == complex
    assert np.max(abs(estimate.value - np.diagonal(A)) / estimate.stderr) < 8


@pytest.mark.parametrize("n", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("method", ["bks", "udiagpp", "xdiag"])
def test_degenerate_matrices(n, method, rng):
    v = rng.standard_normal(n)
    for A in (np.zeros((n, n)), np.eye(n), np.outer(v, v), np.triu(np.ones((n, n)), 1)):
        for matvecs in {2, 5, n, n + 3}:
            estimate = rnla.diag(A, matvecs, method=method, rng=rng)
            error = abs(estimate.value - np.diagonal(A))
            assert np.max(error) < 10 * np.linalg.norm(A) + 1e-300
            if estimate.status is Status.EXACT:
                assert np.max(error) < 1e-12 * np.linalg.norm(A) + 1e-300


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_low_rank_is_exact(dtype, rng):
    A = unitary(rng, 80, dtype)[:, :6] @ unitary(rng, 80, dtype)[:6]
    for method in ("udiagpp", "xdiag"):
        estimate = rnla.diag(A, 40, method=method, rng=rng)
        assert np.max(abs(estimate.value - np.diagonal(A))) < 1e-12
    B = A @ A.conj().T
    estimate = rnla.diag(B, 20, assume="psd", rng=rng)
    assert np.max(abs(estimate.value - np.diagonal(B))) < 1e-12


def test_as_many_products_as_rows_are_exact(rng):
    A = general(rng, 30)
    estimate = rnla.diag(A, 30, rng=rng)
    assert estimate.method == "exact"
    assert np.array_equal(estimate.value, np.diagonal(A))
    assert rnla.diag(np.zeros((0, 0))).value.shape == (0,)


def test_a_diagonal_matrix_has_no_error(rng):
    d = rng.standard_normal(50)
    estimate = rnla.diag(sparse.diags_array(d), 2, method="bks", rng=rng)
    assert estimate.value == pytest.approx(d, rel=1e-14)


@pytest.mark.parametrize("method", ["bks", "xdiag", "xnysdiag"])
def test_a_tolerance_is_met(method, rng):
    A = hermitian(rng, SPECTRA["exp"](200)) + 0.5 * np.eye(200)
    rtol = 0.2 if method == "bks" else 0.02
    estimate = rnla.diag(A, rtol=rtol, method=method, assume="psd", rng=rng)
    assert estimate.success
    largest = np.max(np.diagonal(A))
    assert np.max(abs(estimate.value - np.diagonal(A))) < 3 * rtol * largest
    with pytest.warns(ConvergenceWarning):
        assert rnla.diag(A, 20, rtol=1e-9, method=method, assume="psd").n_matvec <= 20


def test_xdiag_without_an_adjoint_is_refused(rng):
    A = general(rng, 40)
    operator = LinearOperator(A.shape, matvec=lambda x: A @ x, dtype=float)
    for method in ("xdiag", "udiagpp"):
        with pytest.raises(TypeError, match=f"`A` must have products.*method='{method}'"):
            rnla.diag(operator, 20, method=method)
        with pytest.raises(TypeError, match="`A` must have products with its adjoint"):
            rnla.diag(lambda X: A @ X, 20, shape=40, method=method)
    assert rnla.diag(operator, 20, rng=rng).method == "bks"
    assert rnla.diag(operator, 20, adjoint=lambda X: A.T @ X, rng=rng).method == "xdiag"
    symmetric = LinearOperator(A.shape, matvec=lambda x: A @ x + A.T @ x, dtype=float)
    assert rnla.diag(symmetric, 20, assume="hermitian", rng=rng).method == "xdiag"
    with pytest.raises(TypeError, match="`A` must have products with its adjoint"):
        rnla.row_norms(operator, 20, method="xrownorm")
    assert rnla.row_norms(operator, 20, rng=rng).method == "hutchinson"


def test_messages_name_the_method_that_runs(rng):
    with pytest.raises(ValueError, match="for method='xnysdiag'"):
        rnla.diag(general(rng, 40), 20, assume="psd", rng=rng)


def test_violated_assumptions_are_detected(rng):
    with pytest.raises(ValueError, match="`A` must be positive semidefinite"):
        rnla.diag(-np.eye(40), 20, assume="psd", rng=rng)
    with pytest.raises(ValueError, match="`A` must be symmetric or Hermitian"):
        rnla.diag(general(rng, 40), 20, method="xnysdiag", rng=rng)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"method": "diag++"}, ValueError, "`method` must be one of 'auto', 'bks'"),
        ({"test_vectors": "gaussian"}, ValueError, "`test_vectors` must be one of 'auto', 'signs'"),
        ({"method": BKS(), "test_vectors": "signs"}, ValueError, "must be left out"),
        ({"method": "udiagpp", "rtol": 0.1}, ValueError, "`rtol` and `atol` are of no use"),
        ({"method": "xdiag", "matvecs": 1}, ValueError, "`matvecs` must be at least 2"),
        ({"method": "exact", "matvecs": 2}, ValueError, "`matvecs` must be at least 40"),
        ({"method": UDiagPP(sketch_size=9), "matvecs": 18}, ValueError, "`sketch_size` must be"),
        ({"test_vectors": np.array(["a", "b"])}, ValueError, "`test_vectors` must be one of"),
        ({"assume": "spd"}, ValueError, "`assume` must be one of"),
    ],
)
def test_bad_arguments_get_one_sentence(options, error, words, rng):
    with pytest.raises(error, match=words):
        rnla.diag(general(rng, 40), **{"matvecs": 20, **options})


@pytest.mark.parametrize("method", METHODS)
def test_equal_seeds_give_equal_bits(method, rng, threads):
    A = sparse.csr_array(hermitian(rng, SPECTRA["poly"](120)))
    options = {"method": method, "assume": "psd", "rng": int(rng.integers(2**31))}
    expected = rnla.diag(A, 45, **options)
    for block in (1, 7, 64):
        threads(block % 4 + 1)
        estimate = rnla.diag(A, 45, block=block, **options)
        assert np.array_equal(estimate.value, expected.value)
        assert np.array_equal(estimate.stderr, expected.stderr)


@pytest.mark.parametrize("scale", [2.0**-800, 2.0**800])
def test_scale_does_not_matter(scale, rng):
    A = hermitian(rng, SPECTRA["poly"](80))
    for method in METHODS:
        expected = rnla.diag(A, 40, method=method, assume="psd", rng=7)
        estimate = rnla.diag(scale * A, 40, method=method, assume="psd", rng=7)
        assert estimate.value / scale == pytest.approx(expected.value, rel=1e-8)
        assert estimate.stderr / scale == pytest.approx(expected.stderr, rel=1e-6)
    expected, estimate = rnla.row_norms(A, 40, rng=7), rnla.row_norms(scale * A, 40, rng=7)
    assert estimate.value / scale == pytest.approx(expected.value, rel=1e-10)
    assert estimate.stderr / scale == pytest.approx(expected.stderr, rel=1e-6)
    square = rnla.row_norms(scale * A, 40, squared=True, rng=7)
    assert np.all((square.value == 0) | np.isinf(square.value))


def test_row_norms_near_the_end_of_the_range(rng):
    A = hermitian(rng, SPECTRA["poly"](80))
    expected, estimate = rnla.row_norms(A, 40, rng=7), rnla.row_norms(1e306 * A, 40, rng=7)
    assert estimate.value / 1e306 == pytest.approx(expected.value, rel=1e-10)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ["xrownorm", "hutchinson"])
@pytest.mark.parametrize("shape", [(150, 90), (90, 150)])
def test_row_norms(dtype, method, shape, rng):
    A = general(rng, 150, dtype, decay=0.7)[: shape[0], : shape[1]]
    exact = np.linalg.norm(A, axis=1)
    estimate = rnla.row_norms(A, 60, method=method, rng=rng)
    assert estimate.n_matvec == 60
    assert estimate.value.dtype == A.real.dtype
    assert np.max(abs(estimate.value / exact - 1)) < (0.5 if method == "hutchinson" else 0.02)
    squares = rnla.row_norms(A, 60, method=method, squared=True, rng=rng)
    # Rows share their test vectors, so their errors go together.
    assert np.mean(abs(squares.value - exact**2) < 4 * squares.stderr) > 0.8


@pytest.mark.parametrize("shape", [(50, 20), (20, 50), (0, 5), (5, 0)])
def test_exact_row_norms(shape, rng):
    A = rng.standard_normal(shape)
    estimate = rnla.row_norms(A, 20)
    assert estimate.method == "exact"
    assert estimate.n_matvec == min(shape)
    assert estimate.value == pytest.approx(np.linalg.norm(A, axis=1), rel=1e-14)
    with pytest.raises(ValueError, match="`method` must be one of 'auto', 'xrownorm'"):
        rnla.row_norms(A, 20, method="bks")


def test_row_norms_of_low_rank_and_zero(rng):
    A = unitary(rng, 90)[:, :5] @ unitary(rng, 90)[:5]
    A[3] = 0
    estimate = rnla.row_norms(A, 45, method=XRowNorm(), rng=rng)
    assert estimate.value == pytest.approx(np.linalg.norm(A, axis=1), abs=1e-7)
    zero = rnla.row_norms(aslinearoperator(np.zeros((40, 40))), 12, rng=rng)
    assert np.array_equal(zero.value, np.zeros(40))
    assert XDiag().name == "xdiag"


def test_leverage_scores(rng):
    """Of a matrix that is known by its factor: squared row norms of an orthonormal basis."""
    U = np.linalg.qr(rng.standard_normal((2000, 30)) * rng.uniform(0.01, 3, (2000, 1)))[0]
    estimate = rnla.row_norms(aslinearoperator(U), 29, squared=True, method="hutchinson", rng=rng)
    ratio = estimate.value / np.sum(U**2, axis=1)
    assert abs(ratio.mean() - 1) < 0.03
    assert ratio.std() < 1.5 * np.sqrt(2 / 29)


@pytest.mark.parametrize("spectrum", ["flat", "poly", "exp"])
@pytest.mark.parametrize("method", ["bks", "udiagpp", "xdiag", "xnysdiag"])
def test_intervals_hold_the_diagonal(method, spectrum, rng):
    """The samples of leave-one-out methods depend on each other; the error bar knows."""
    A = hermitian(rng, SPECTRA[spectrum](150))
    exact = np.diagonal(A)
    held = []
    for _ in range(12):
        estimate = rnla.diag(A, 45, method=method, assume="psd", rng=rng)
        low, high = estimate.confidence_interval()
        held.append((low <= exact) & (exact <= high))
    assert np.mean(held) > 0.92


@pytest.mark.parametrize("spectrum", ["flat", "poly", "exp"])
def test_intervals_hold_the_row_norms(spectrum, rng):
    A = hermitian(rng, SPECTRA[spectrum](150))
    exact = np.sum(A**2, axis=1)
    held = []
    for _ in range(12):
        estimate = rnla.row_norms(A, 45, method="xrownorm", squared=True, rng=rng)
        low, high = estimate.confidence_interval()
        held.append((low <= exact) & (exact <= high))
    assert np.mean(held) > 0.88


@pytest.mark.parametrize("method", ["xdiag", "xnysdiag"])
def test_two_samples_say_nothing_about_their_spread(method, rng):
    """For the identity they are equal, and off by a fifth."""
    matvecs = 4 if method == "xdiag" else 2
    estimate = rnla.diag(np.eye(30), matvecs, method=method, assume="psd", rng=rng)
    assert np.all(np.isinf(estimate.stderr))
