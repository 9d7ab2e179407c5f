"""What `trace_function` and `logdet` take, refuse and promise whatever the input."""

from functools import partial

import function_cases as cases
import numpy as np
import pytest
import scipy.sparse
from function_cases import with_spectrum
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import logdet, spectral_density, trace_function

METHODS = ["slq", "krylov_aware", "fun_nystrom"]


@pytest.mark.parametrize("method", METHODS)
def test_the_same_bits_whatever_block_and_threads(method, threads):
    A, _ = cases.laplacian(30)

    def run(block=None, form=A):
        options = {"shape": 900} if callable(form) and not hasattr(form, "shape") else {}
        estimate = trace_function(np.sqrt, form, 200, method=method, block=block, rng=5, **options)
        return estimate.value, estimate.stderr, estimate.bias, estimate.n_matvec

    expected = run()
    assert run(block=1) == expected
    assert run(block=7) == expected
    assert run(form=aslinearoperator(A), block=3) == expected
    assert run(form=lambda X: A @ X) == expected
    threads(1)
    assert run() == expected
    assert trace_function(np.sqrt, A, 200, method=method, rng=6).value != expected[0]


def test_dense_arrays_too(threads, rng):
    A = with_spectrum(np.linspace(1, 4, 250), rng)
    runs = [logdet(A, 120, block=block, rng=3).value for block in (None, 1, 50)]
    threads(1)
    runs.append(logdet(A, 120, rng=3).value)
    assert len(set(runs)) == 1


def test_products_come_in_blocks_and_are_counted():
    A, _ = cases.laplacian(30)
    widths = []

    def product(X):
        widths.append(X.shape[1])
        return A @ X

    estimate = trace_function(np.exp, product, 600, shape=900, method="slq", rng=0)
    assert sum(widths) == estimate.n_matvec <= 600
    assert max(widths) <= 32
    assert np.median(widths) > 8


@pytest.mark.parametrize("run", [partial(trace_function, np.exp), logdet, spectral_density])
def test_exact_means_as_many_products_as_rows(run):
    A = np.diag(np.arange(1.0, 31))
    with pytest.raises(ValueError, match="`matvecs` must be at least 30, the rows of `A`, for"):
        run(lambda X: A @ X, 29, shape=30, method="exact")
    assert run(lambda X: A @ X, 30, shape=30, method="exact").n_matvec == 30
    assert run(A, 29, method="exact").n_matvec == 0


@pytest.mark.parametrize("form", [scipy.sparse.csc_matrix, scipy.sparse.dia_array, np.asarray])
def test_forms(form):
    A, eigenvalues = cases.laplacian(20)
    given = form(A.toarray())
    assert trace_function(np.sqrt, given).value == pytest.approx(np.sqrt(eigenvalues).sum())
    cases.assert_covered(trace_function(np.sqrt, given, 150, rng=0), np.sqrt(eigenvalues).sum())


def test_small_integers_and_booleans():
    ring = scipy.sparse.csr_array(np.roll(np.eye(300, dtype=np.int8), 1, axis=1))
    A = (ring + ring.T).tocsr()
    exact = np.exp(2 * np.cos(2 * np.pi * np.arange(300) / 300)).sum()
    for dtype in (np.int8, np.uint8, bool, np.float32):
        given = A.astype(dtype)
        assert trace_function(np.exp, given).value == pytest.approx(exact, rel=1e-5)
        cases.assert_covered(trace_function(np.exp, given, 120, rng=0), exact)


NOT_HERMITIAN = np.triu(np.ones((30, 30)))


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array, aslinearoperator])
@pytest.mark.parametrize("matvecs", [None, 20])
@pytest.mark.parametrize(
    "run", [logdet, spectral_density, lambda A, *k: trace_function(np.exp, A, *k)]
)
def test_what_is_not_hermitian_is_refused(form, matvecs, run):
    with pytest.raises(ValueError, match="`A` must be Hermitian"):
        run(form(NOT_HERMITIAN), matvecs)


def test_complex_symmetric_is_not_hermitian(rng):
    A = rng.standard_normal((20, 20)) + 1j * rng.standard_normal((20, 20))
    with pytest.raises(ValueError, match="`A` must be Hermitian"):
        logdet(A + A.T)


A = np.diag([-0.3, 1.0, 2.0, 4.0])


@pytest.mark.parametrize("options", [{}, {"matvecs": 20, "method": "slq"}, {"matvecs": 20}])
@pytest.mark.parametrize("case", range(8))
def test_a_function_that_does_not_fit(case, options):
    f, error, words = [
        (np.log, ValueError, r"`f` is nan at -0\.\d+, an estimated eigenvalue of `A` \("),
        (np.sqrt, ValueError, r"`f` is nan at -0\.\d+, an estimated eigenvalue"),
        (lambda x: 1 / np.maximum(x, 0), ValueError, r"`f` is inf at -0\.\d+,"),
        (lambda x: np.exp(1j * x), TypeError, "`f` must return real numbers"),
        (lambda x: x.sum(), ValueError, "`f` must map an array of shape"),
        (lambda x: x[:, None], ValueError, "`f` must map an array of shape"),
        (lambda x: None, ValueError, "`f` must map an array of shape"),
        ("log", TypeError, "`f` must be a callable"),
    ][case]
    with pytest.raises(error, match=words):
        trace_function(f, A, rng=0, **options)


def test_fun_nystrom_needs_a_value_at_zero():
    with pytest.raises(ValueError, match="`f` must be finite at 0 for method='fun_nystrom'"):
        trace_function(np.log, np.eye(9), 8, method="fun_nystrom")


def test_zero_up_to_rounding_counts_as_zero(rng):
    # Rank 3: half of the computed zeros are negative.
    eigenvalues = np.append([1.0, 2.0, 3.0], np.zeros(37))
    A = with_spectrum(eigenvalues, rng)
    exact = np.sqrt(eigenvalues).sum()
    for options in ({}, *({"matvecs": 30, "method": method} for method in METHODS)):
        estimate = trace_function(np.sqrt, A, rng=0, **options)
        assert estimate.value == pytest.approx(exact, abs=max(1e-6, 2 * estimate.radius()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("n", [5, 60])
def test_what_rounding_leaves_of_low_rank_is_hermitian(dtype, n, rng):
    """The space captures all of A but rounding errors, which have no symmetry."""
    for rank in (1, 2, 3):
        A = with_spectrum(np.append(np.arange(1.0, rank + 1), np.zeros(n - rank)), rng, dtype)
        for matvecs in (12, 100):
            run = trace_function(np.sqrt, A, matvecs, method="krylov_aware", rng=rng)
            exact = np.sqrt(np.arange(1.0, rank + 1)).sum()
            noise = n * np.sqrt(n * float(np.finfo(dtype).eps))
            assert run.value == pytest.approx(exact, abs=noise + 3 * run.radius())


def test_what_the_function_gets_is_a_copy():
    def f(x):
        x *= 0
        return np.exp(x)

    assert trace_function(f, np.diag([1.0, 2.0])).value == 2


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"matvecs": 3}, ValueError, "`matvecs` must be at least 4"),
        ({"matvecs": 10.0}, TypeError, "`matvecs` must be an integer"),
        ({"rtol": -1}, ValueError, "`rtol` must lie in"),
        ({"atol": np.nan}, ValueError, "`atol` must lie in"),
        ({"confidence": 1.0}, ValueError, "`confidence` must lie in"),
        ({"method": "lanczos"}, ValueError, "`method` must be one of"),
        ({"degree": 1}, ValueError, "`degree` must be in 2"),
        ({"degree": 60, "matvecs": 50}, ValueError, r"`degree` must be in 2\.\.50"),
        ({"block_size": 0}, ValueError, "`block_size` must be at least 1"),
        ({"test_vectors": "rayleigh"}, ValueError, "`test_vectors` must be one of"),
        ({"matvecs": 4, "test_vectors": "signs", "method": "krylov_aware"}, ValueError, "project"),
        ({"matvecs": 4, "test_vectors": "gaussian"}, ValueError, "no use to method='auto'"),
        ({"spectrum": 3.0}, TypeError, "`spectrum` must be a pair"),
        ({"spectrum": (2.0, 1.0)}, ValueError, "`spectrum` must be finite"),
        (
            {"spectrum": (0.0, 1.0), "matvecs": 4, "method": "slq"},
            ValueError,
            "`spectrum` must hold",
        ),
        ({"shape": 4}, ValueError, "`shape` must be left out"),
        ({"rng": "seed"}, TypeError, "`rng`"),
    ],
)
def test_bad_options(options, error, words):
    with pytest.raises(error, match=words):
        trace_function(np.exp, np.diag([0.5, 1.0, 2.0, 2.5, 3.0]), **options)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("matvecs", [None, 4])
def test_matrices_must_be_finite(value, matvecs):
    A = np.eye(6)
    A[2, 2] = value
    for form in (A, scipy.sparse.csr_array(A)):
        with pytest.raises(ValueError, match=r"NaN"):
            trace_function(np.exp, form, matvecs)


def test_not_square():
    with pytest.raises(ValueError, match="`A` must be square"):
        logdet(np.ones((3, 4)))


def test_an_operator_that_fails_is_not_hidden():
    def fails(x):
        raise ZeroDivisionError

    operator = LinearOperator((3000, 3000), matvec=fails, matmat=fails, dtype=float)
    with pytest.raises(ZeroDivisionError):
        logdet(operator, 50)


@pytest.mark.parametrize(
    ("method", "option"),
    [("slq", "block_size"), ("exact", "block_size"), ("exact", "degree"), ("exact", "spectrum")],
)
def test_options_without_use_are_refused(method, option):
    value = (0.5, 2.0) if option == "spectrum" else 4
    with pytest.raises(ValueError, match=f"`{option}` is of no use to method='{method}'"):
        logdet(np.eye(30), method=method, **{option: value})
