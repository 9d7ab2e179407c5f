"""`rnla.trace`: known answers, degenerate matrices, tolerances, refusals, reproducibility."""

import importlib
import inspect
import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from trace_cases import SPECTRA, general, hermitian, unitary

import rnla
from rnla import ConvergenceWarning, Status
from rnla.trace import (
    AHutchPP,
    Choice,
    Estimate,
    Exact,
    Hutchinson,
    HutchPP,
    NAHutchPP,
    XNysTrace,
    XTrace,
    choose_method,
)

FIXED = ["hutchinson", "hutchpp", "na_hutchpp", "xtrace", "xnystrace", "xsymtrace"]
ADAPTIVE = ["hutchinson", "a_hutchpp", "xtrace", "xnystrace"]
DTYPES = [np.float32, np.float64, np.complex64, np.complex128]


def test_function_and_module_of_one_name():
    module = importlib.import_module("rnla.trace")
    assert rnla.diag is module.diag
    assert module.XTrace is XTrace
    # Whichever of the two was loaded first: both are called, described and pickled alike.
    for trace in (rnla.trace, module, module.trace):
        assert trace(np.eye(3)).value == 3
        assert inspect.signature(trace) == inspect.signature(module.trace)
        assert pickle.loads(pickle.dumps(trace)) is trace


@pytest.mark.parametrize("method", FIXED)
@pytest.mark.parametrize("dtype", DTYPES)
def test_value_stderr_and_count(method, dtype, rng):
    A = hermitian(rng, SPECTRA["poly"](200), dtype)
    estimate = rnla.trace(A, 60, method=method, assume="psd", rng=rng)
    exact = np.trace(A).real
    assert estimate.n_matvec == 60
    assert estimate.status is Status.COMPLETED
    assert estimate.success
    assert estimate.method == method
    assert isinstance(estimate.value, float)
    assert 0 < estimate.stderr < (0.4 if method == "hutchinson" else 0.02)
    assert abs(estimate.value - exact) < 5 * estimate.stderr
    low, high = estimate.confidence_interval(0.9999)
    assert low < exact < high


def test_value_of_a_complex_matrix_is_complex(rng):
    A = general(rng, 100, np.complex128)
    for method in ("hutchinson", "hutchpp", "xtrace"):
        estimate = rnla.trace(A, 60, method=method, rng=rng)
        assert isinstance(estimate.value, complex)
        assert abs(estimate.value - np.trace(A)) < 5 * estimate.stderr
        low, high = estimate.confidence_interval()
        assert low.real < estimate.value.real < high.real
        assert low.imag < estimate.value.imag < high.imag


@pytest.mark.parametrize("form", ["csr", "operator", "callable", "matvec only"])
def test_every_form_of_a_matrix(form, rng):
    A = general(rng, 80)
    options = {}
    given = sparse.csr_array(A) if form == "csr" else aslinearoperator(A)
    if form == "callable":
        given, options = (lambda X: A @ X), {"shape": 80}
    elif form == "matvec only":
        given = LinearOperator(A.shape, matvec=lambda x: A @ x, dtype=A.dtype)
    seed = int(rng.integers(2**31))
    expected = rnla.trace(A, 30, rng=seed)
    estimate = rnla.trace(given, 30, rng=seed, **options)
    assert estimate.value == pytest.approx(expected.value, rel=1e-12)
    assert estimate.n_matvec == expected.n_matvec == 30


# -- degenerate matrices ---------------------------------------------------------------------


def degenerate(n, rng):
    yield "zero", np.zeros((n, n))
    yield "identity", np.eye(n)
    yield "multiple", -3e-5 * np.eye(n)
    yield "rank one", np.outer(rng.standard_normal(n), rng.standard_normal(n))
    yield "nilpotent", np.triu(rng.standard_normal((n, n)), 1)
    yield "diagonal", np.diag(rng.standard_normal(n))
    yield "skew", np.triu(np.ones((n, n)), 1) - np.tril(np.ones((n, n)), -1)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("method", ["hutchinson", "hutchpp", "xtrace"])
@pytest.mark.parametrize("vectors", ["auto", "signs", "sphere"])
def test_degenerate_matrices(n, method, vectors, rng):
    for name, A in degenerate(n, rng):
        for matvecs in {2, 5, n, n + 3}:
            estimate = rnla.trace(A, matvecs, method=method, test_vectors=vectors, rng=rng)
            bound = 10 * np.linalg.norm(A) * np.sqrt(n) + 1e-300
            assert abs(estimate.value - np.trace(A)) < bound, name
            assert estimate.n_matvec <= matvecs
            if estimate.status is Status.EXACT:
                assert abs(estimate.value - np.trace(A)) < 1e-12 * bound, name


@pytest.mark.parametrize("method", ["xnystrace", "xsymtrace"])
@pytest.mark.parametrize("vectors", ["auto", "signs"])
def test_degenerate_semidefinite_matrices(method, vectors, rng):
    for n in (1, 2, 3, 7, 40):
        v = rng.standard_normal(n)
        for A in (np.zeros((n, n)), np.eye(n), np.outer(v, v), np.diag(v**2)):
            for matvecs in {1, 2, 5, n + 3}:
                estimate = rnla.trace(A, matvecs, method=method, test_vectors=vectors, rng=rng)
                bound = 20 * np.linalg.norm(A) * np.sqrt(n) + 1e-300
                assert abs(estimate.value - np.trace(A)) < bound
                if estimate.status is Status.EXACT:
                    assert abs(estimate.value - np.trace(A)) < 1e-12 * bound


@pytest.mark.parametrize("method", ["hutchpp", "xtrace", "xnystrace", "xsymtrace"])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_low_rank_is_noticed(method, dtype, scale, rng):
    A = scale * hermitian(rng, np.r_[5.0, 4, 3, 2, 1, np.zeros(95)], dtype)
    estimate = rnla.trace(A, 60, method=method, assume="psd", rng=rng)
    assert estimate.status is Status.EXACT
    assert "exact (rank 5)" in estimate.method
    assert estimate.value == pytest.approx(15 * scale, rel=1e-12)
    assert estimate.stderr < 1e-12 * scale
    assert estimate.n_matvec <= 60


@pytest.mark.parametrize("method", ["hutchpp", "a_hutchpp", "xtrace", "xnystrace"])
def test_many_eigenvalues_that_a_sketch_takes_for_rounding(method, rng):
    """Singular values of a sketch are rounding errors beside the first one; the sum is not."""
    options = {"rtol": 1e-5} if method == "a_hutchpp" else {"matvecs": 60}
    for small in (1.5e-7, 1e-8):
        A = sparse.diags_array(np.r_[1.0, np.full(4999, small)].astype(np.float32)).tocsr()
        for _ in range(5):
            estimate = rnla.trace(A, method=method, rng=rng, **options)
            assert abs(estimate.value - A.diagonal().sum(dtype=float)) < 4 * estimate.stderr < 1e-3


@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1e15, 1e30])
@pytest.mark.parametrize("method", ["hutchpp", "xtrace", "xnystrace", "na_hutchpp"])
def test_scale_in_single_precision(method, scale, rng):
    A = hermitian(rng, SPECTRA["poly"](80), np.float32)
    seed = int(rng.integers(2**31))
    assume = "psd" if method == "xnystrace" else "hermitian"
    found, expected = (
        rnla.trace(M, 40, method=method, assume=assume, rng=seed)
        for M in (A * np.float32(scale), A)
    )
    assert found.value == pytest.approx(scale * expected.value, rel=1e-4)
    rows, ones = (rnla.row_norms(M, 40, rng=seed).value for M in (A * np.float32(scale), A))
    np.testing.assert_allclose(rows / scale, ones, rtol=1e-2, atol=1e-3)


def test_empty_matrix():
    estimate = rnla.trace(np.zeros((0, 0)))
    assert estimate.value == 0
    assert estimate.n_matvec == 0
    assert estimate.status is Status.EXACT


@pytest.mark.parametrize("dtype", DTYPES)
def test_as_many_products_as_rows_are_exact(dtype, rng):
    A = general(rng, 50, dtype)
    estimate = rnla.trace(A, 50, rng=rng)
    assert estimate.method == "exact"
    assert estimate.n_matvec == 50
    assert estimate.value == pytest.approx(np.trace(A), rel=1e-5 if A.itemsize < 9 else 1e-13)
    assert rnla.trace(A, rng=rng).method == "exact"


def test_ones_and_infinities_of_the_error_bar(rng):
    A = general(rng, 20)
    assert np.isinf(rnla.trace(A, 1, rng=rng).stderr)
    low, high = rnla.trace(A, 1, rng=rng).confidence_interval()
    assert np.isneginf(low)
    assert np.isposinf(high)
    signs = rnla.trace(np.diag(np.arange(20.0)), 5, method="hutchinson", rng=rng)
    assert signs.value == pytest.approx(190)


def test_fast_decay_reaches_rounding(rng):
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        A = hermitian(rng, SPECTRA["exp"](300), dtype)
        for s in (100, 200):
            estimate = rnla.trace(A, s, assume="psd", rng=rng)
            exact = np.trace(A, dtype=np.float64)
            assert abs(estimate.value - exact) < tolerance * exact
            assert abs(estimate.value - exact) <= 5 * estimate.stderr


def test_tail_of_a_step_is_resphered(rng):
    """The error is below 2e-6 at 200 products; with signs it is ten times larger."""
    A = hermitian(rng, SPECTRA["step"](1000))
    exact = np.trace(A)
    errors = [abs(rnla.trace(A, 200, rng=rng).value / exact - 1) for _ in range(6)]
    assert np.mean(errors) < 2e-6
    signs = rnla.trace(A, 200, test_vectors="signs", rng=rng)
    assert signs.stderr > 5e-6 * exact


@pytest.mark.parametrize("method", [*FIXED, "a_hutchpp"])
@pytest.mark.parametrize("scale", [2.0**-800, 2.0**-400, 2.0**400, 2.0**800])
def test_scale_does_not_matter(method, scale, rng):
    A = hermitian(rng, SPECTRA["poly"](80))
    options = {"method": method, "assume": "psd", "rng": int(rng.integers(2**31))}
    options |= {"rtol": 0.05} if method == "a_hutchpp" else {"matvecs": 40}
    expected, estimate = rnla.trace(A, **options), rnla.trace(scale * A, **options)
    assert estimate.value / scale == pytest.approx(expected.value, rel=1e-10)
    assert estimate.stderr / scale == pytest.approx(expected.stderr, rel=1e-6)
    assert estimate.history[-1, 1] == pytest.approx(estimate.stderr)
    after = rnla.trace(1.5 * scale * A, 20, previous=estimate, rng=0)
    # Nearly all of the estimate comes from the last one.
    assert after.value == pytest.approx(1.5 * estimate.value, abs=4 * after.stderr)
    assert after.stderr == pytest.approx(1.5 * estimate.stderr, rel=0.5)


# -- tolerances --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ADAPTIVE)
@pytest.mark.parametrize("spectrum", ["flat", "poly", "exp"])
def test_a_tolerance_is_met(method, spectrum, rng):
    rtol = 1e-2 if method != "hutchinson" else 0.1
    A = hermitian(rng, SPECTRA[spectrum](400))
    estimate = rnla.trace(A, rtol=rtol, method=method, assume="psd", rng=rng)
    assert estimate.status in (Status.CONVERGED, Status.EXACT)
    assert abs(estimate.value / np.trace(A) - 1) < 2 * rtol
    assert estimate.history.shape[1] == 2
    assert estimate.history[-1, 0] <= estimate.n_matvec
    assert np.all(np.diff(estimate.history[:, 0]) > 0)


@pytest.mark.parametrize("method", ADAPTIVE)
def test_adaptive_runs_use_every_product_again(method, rng):
    """As many products as vectors went through A, and no vector twice."""
    A = hermitian(rng, SPECTRA["poly"](300))
    seen = []

    def product(X):
        seen.append(X)
        return A @ X

    estimate = rnla.trace(product, rtol=3e-3, shape=300, method=method, assume="psd", rng=rng)
    W = np.hstack(seen)
    assert estimate.n_matvec == W.shape[1]
    W = W / np.linalg.norm(W, axis=0)
    assert abs(W.T @ W - np.eye(W.shape[1])).max() < 1 - 1e-6
    if "exact" not in estimate.method and method in ("xtrace", "xnystrace"):
        # The answer is that of a run with this budget from the start.
        again = rnla.trace(A, estimate.n_matvec, method=method, assume="psd", rng=0)
        assert again.stderr < 20 * estimate.stderr


def test_limit_of_products(rng):
    A = hermitian(rng, SPECTRA["flat"](500))
    for method in ADAPTIVE:
        with pytest.warns(ConvergenceWarning, match="times the tolerance"):
            estimate = rnla.trace(A, 40, rtol=1e-6, method=method, assume="psd", rng=rng)
        assert estimate.status is Status.MAX_MATVECS
        assert not estimate.success
        assert estimate.n_matvec <= 40
        assert abs(estimate.value - 1000) < 6 * estimate.stderr


@pytest.mark.parametrize("method", ["xtrace", "xnystrace", "xsymtrace"])
def test_a_limit_near_the_size(method, rng):
    """Products for a second round, but not for the identity after the first."""
    A = hermitian(rng, np.linspace(1, 3, 10))
    for matvecs in range(9, 20):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            estimate = rnla.trace(A, matvecs, rtol=1e-9, method=method, assume="psd", rng=rng)
        assert estimate.n_matvec <= matvecs
        assert abs(estimate.value - 20) < 10


def test_a_tolerance_that_only_exactness_meets(rng):
    A = general(rng, 60, decay=1.0)
    for method in ("auto", "xtrace", "hutchinson"):
        estimate = rnla.trace(A, rtol=1e-10, method=method, rng=rng)
        assert estimate.status is Status.EXACT
        assert estimate.value == pytest.approx(np.trace(A), rel=1e-12)
    nilpotent = np.triu(A, 1)
    assert rnla.trace(nilpotent, rtol=1e-3, rng=rng).value == 0
    assert abs(rnla.trace(nilpotent, atol=5.0, rng=rng).value) < 10


def test_a_hutchpp_chooses_its_split(rng):
    """Few columns for a flat spectrum, nearly all for one that decays."""
    flat = rnla.trace(hermitian(rng, SPECTRA["flat"](600)), rtol=1e-2, rng=rng)
    fast = rnla.trace(hermitian(rng, SPECTRA["exp"](600)), rtol=1e-4, rng=rng)
    size = {name: int(e.method.split("=")[1][:-1]) for name, e in (("flat", flat), ("fast", fast))}
    assert size["flat"] <= 5
    assert size["fast"] > 0.3 * fast.n_matvec
    assert fast.n_matvec < 100


@pytest.mark.parametrize("assume", ["general", "hermitian"])
def test_a_hutchpp_of_a_general_matrix(assume, rng):
    A = general(rng, 400, decay=0.9) + np.eye(400)
    if assume == "hermitian":
        A = 0.5 * (A + A.T)
    errors = [
        rnla.trace(A, rtol=5e-3, assume=assume, rng=rng).value / np.trace(A) - 1 for _ in range(10)
    ]
    assert np.max(np.abs(errors)) < 5e-3


# -- sequences ---------------------------------------------------------------------------------


def test_a_sequence_of_matrices(rng):
    n = 300
    A = hermitian(rng, np.linspace(1, 3, n)) + 0.5 * unitary(rng, n)
    B = rng.standard_normal((n, n)) / np.sqrt(n)
    estimate = rnla.trace(A, 200, method="hutchinson", rng=rng)
    for step in range(1, 4):
        A_t = A + 0.02 * step * B
        estimate = rnla.trace(A_t, 40, previous=estimate, rng=rng)
        fresh = rnla.trace(A_t, 40, method="hutchinson", rng=rng)
        assert estimate.n_matvec == 40
        assert estimate.stderr < 0.6 * fresh.stderr
        assert abs(estimate.value - np.trace(A_t)) < 5 * estimate.stderr
        assert estimate.method.startswith("delta_shift(c=")
    unrelated = rnla.trace(-unitary(rng, n), 40, previous=estimate, rng=rng)
    assert unrelated.stderr < 10


def test_a_sequence_from_an_exact_start(rng):
    A = general(rng, 50)
    first = rnla.trace(A, 50)
    second = rnla.trace(2 * A, 10, previous=first, rng=rng)
    assert second.value == pytest.approx(2 * np.trace(A), rel=1e-10)


def test_a_hermitian_matrix_after_a_complex_one_has_a_real_trace(rng):
    A = hermitian(rng, SPECTRA["poly"](60), np.complex128)
    first = rnla.trace(A, 20, rng=rng)
    after = rnla.trace(2 * A, 20, previous=first, assume="hermitian", rng=rng)
    assert isinstance(first.value, complex)
    assert isinstance(after.value, float)
    assert abs(after.value - 2 * np.trace(A).real) < 5 * after.stderr


def test_what_previous_may_be(rng):
    A = general(rng, 30)
    estimate = rnla.trace(A, 10, rng=rng)
    with pytest.raises(TypeError, match="`previous` must be what"):
        rnla.trace(A, 10, previous=3.0)
    with pytest.raises(TypeError, match="`previous` must be what"):
        rnla.trace(A, 10, previous=pickle.loads(pickle.dumps(estimate)))
    with pytest.raises(ValueError, match="`previous` must be of shape"):
        rnla.trace(general(rng, 31), 10, previous=estimate)
    with pytest.raises(ValueError, match="`previous` is of no use to method='xtrace'"):
        rnla.trace(A, 10, previous=estimate, method="xtrace")


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [HutchPP, XTrace, XNysTrace])
@pytest.mark.parametrize("kind", ["signs", "steinhaus"])
def test_resphering_signs_is_refused(method, kind):
    with pytest.raises(ValueError, match="`resphere`=True is unbiased only for"):
        method(test_vectors=kind, resphere=True)
    with pytest.raises(ValueError, match="`resphere`=True is unbiased only for"):
        rnla.trace(np.eye(9) + 0j, 4, method=method.name, test_vectors=kind, resphere=True)


@pytest.mark.parametrize("method", ["na_hutchpp", "xnystrace", "xsymtrace"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_matrix_that_is_not_hermitian_is_detected(method, dtype, rng):
    A = general(rng, 60, dtype)
    with pytest.raises(
        ValueError, match=f"`A` must be symmetric or Hermitian for method='{method}'"
    ):
        rnla.trace(A, 20, method=method, rng=rng)
    with pytest.raises(ValueError, match="`A` must be symmetric or Hermitian"):
        rnla.trace(A, rtol=1e-4, assume="hermitian", rng=rng)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ["auto", "xnystrace"])
def test_an_indefinite_matrix_is_detected(method, dtype, rng):
    A = hermitian(rng, np.linspace(-1, 2, 60), dtype)
    with pytest.raises(ValueError, match="`A` must be positive semidefinite"):
        rnla.trace(A, 30, method=method, assume="psd", rng=rng)
    with pytest.raises(ValueError, match="`A` must be positive semidefinite"):
        rnla.trace(-np.eye(60, dtype=dtype), 30, method=method, assume="psd", rng=rng)


BAD = {
    "matvecs zero": ({"matvecs": 0}, ValueError, "`matvecs` must be at least 1"),
    "matvecs float": ({"matvecs": 10.0}, TypeError, "`matvecs` must be an integer"),
    "one product": ({"matvecs": 1, "method": "xtrace"}, ValueError, "`matvecs` must be at least 2"),
    "na": ({"matvecs": 3, "method": "na_hutchpp"}, ValueError, "`matvecs` must be at least 4"),
    "rtol": ({"rtol": -1.0}, ValueError, r"`rtol` must lie in \[0, inf\)"),
    "atol": ({"atol": np.nan}, ValueError, "`atol` must lie in"),
    "confidence": ({"confidence": 1.0}, ValueError, r"`confidence` must lie in \[0, 1.0\)"),
    "assume": ({"assume": "symmetric"}, ValueError, "`assume` must be one of 'general'"),
    "method": ({"method": "magic"}, ValueError, "`method` must be one of 'auto', 'hutchinson'"),
    "method type": ({"method": 3}, ValueError, "`method` must be one of"),
    "vectors": ({"test_vectors": "normal"}, ValueError, "`test_vectors` must be one of 'auto'"),
    "complex vectors": ({"test_vectors": "steinhaus"}, ValueError, "for complex `A`"),
    "resphere": ({"resphere": "yes"}, TypeError, "`resphere` must be True, False or None"),
    "fixed": ({"rtol": 0.1, "method": "hutchpp"}, ValueError, "`rtol` and `atol` are of no use"),
    "no tolerance": ({"method": "a_hutchpp"}, ValueError, "`rtol` or `atol` must be given"),
    "unused": (
        {"method": "hutchinson", "resphere": True},
        ValueError,
        "`resphere` is of no use to method='hutchinson'",
    ),
    "unused with a tolerance": (
        {"rtol": 0.1, "test_vectors": "signs"},
        ValueError,
        "`test_vectors` is of no use to method='auto' here, which takes 'a_hutchpp'",
    ),
    "resphering with a tolerance": (
        {"rtol": 0.1, "resphere": True},
        ValueError,
        "`resphere` is of no use to method='auto' here, which takes 'a_hutchpp'",
    ),
    "resphering with few products": (
        {"matvecs": 3, "resphere": True},
        ValueError,
        "`resphere` is of no use to method='auto' here, which takes 'hutchinson'",
    ),
    "array": ({"test_vectors": np.array(["a", "b"])}, ValueError, "`test_vectors` must be one of"),
    "resphere zero": ({"resphere": 0}, TypeError, "`resphere` must be True, False or None"),
    "object": (
        {"method": XTrace(), "test_vectors": "signs"},
        ValueError,
        "must be left out when `method` is an object",
    ),
    "split": (
        {"matvecs": 10, "method": HutchPP(sketch_size=5)},
        ValueError,
        "`sketch_size` must be less than half of `matvecs`",
    ),
    "exact": ({"matvecs": 10, "method": "exact"}, ValueError, "`matvecs` must be at least 99"),
    "rng": ({"rng": -1}, ValueError, "`rng` must be None"),
    "block": ({"block": 0}, ValueError, "`block` must be at least 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_get_one_sentence(case, rng):
    options, error, words = BAD[case]
    with pytest.raises(error, match=words):
        rnla.trace(general(rng, 99), **{"matvecs": None, **options})


def test_a_tolerance_of_zero_is_none(rng):
    A = general(rng, 99)
    for run in (rnla.trace, rnla.diag):
        estimate = run(A, 20, rtol=0.0, rng=3)
        assert estimate.status is Status.COMPLETED
        assert np.array_equal(estimate.value, run(A, 20, rng=3).value)


def test_booleans_of_numpy_are_booleans(rng):
    A = general(rng, 99)
    for flag in (True, False):
        expected = rnla.trace(A, 20, resphere=flag, rng=3)
        assert rnla.trace(A, 20, resphere=np.bool_(flag), rng=3).value == expected.value


def test_bad_matrices():
    with pytest.raises(ValueError, match="`A` must be square"):
        rnla.trace(np.ones((3, 4)))
    with pytest.raises(ValueError, match="NaN"):
        rnla.trace(np.full((9, 9), np.nan), 4)


# -- reproducibility ----------------------------------------------------------------


@pytest.mark.parametrize("method", [*FIXED, "a_hutchpp"])
@pytest.mark.parametrize("form", ["array", "csr", "callable"])
def test_equal_seeds_give_equal_bits(method, form, rng, threads):
    A = hermitian(rng, SPECTRA["poly"](150))
    options = {"method": method, "assume": "psd", "rng": int(rng.integers(2**31))}
    given = A if form == "array" else sparse.csr_array(A)
    if form == "callable":
        matrix = sparse.csr_array(A)
        given, options["shape"] = (lambda X: matrix @ X), 150
    budget = {"rtol": 0.02} if method == "a_hutchpp" else {"matvecs": 50}
    expected = rnla.trace(given, **budget, **options)
    for block in (1, 3, 64):
        threads(block % 4 + 1)
        estimate = rnla.trace(given, **budget, block=block, **options)
        assert estimate.value == expected.value
        assert estimate.stderr == expected.stderr
    other = rnla.trace(given, **budget, **{**options, "rng": 1})
    assert other.value != expected.value


def test_global_state_is_left_alone(rng):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    rnla.trace(general(rng, 40), 20)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


# -- the choice --------------------------------------------------------------------------------


def test_choices():
    A = np.eye(500)
    assert choose_method(A, 100).method == XTrace()
    assert choose_method(A, 100, assume="psd").method == XNysTrace()
    assert choose_method(A, 3).method == Hutchinson()
    assert choose_method(A, 500).method == Exact()
    assert choose_method(A, rtol=0.1).method == AHutchPP()
    assert choose_method(np.eye(20), rtol=0.1).method == Exact()
    assert choose_method(lambda X: X, 100, shape=500).method == XTrace()
    choice = choose_method(A)
    assert isinstance(choice, Choice)
    assert choice.reason
    assert rnla.trace(A, 20, method=choice.method, rng=0).method == "xtrace"


def test_what_an_estimate_shows(rng):
    A = hermitian(rng, SPECTRA["poly"](100))
    estimate = rnla.trace(A, 20, confidence=0.5, rng=rng)
    assert isinstance(estimate, Estimate)
    assert "array" not in repr(estimate)
    assert estimate.message.startswith("xtrace: ")
    assert len(estimate.samples) == 10
    half, wide = estimate.confidence_interval(), estimate.confidence_interval(0.99)
    assert wide.low < half.low < estimate.value < half.high < wide.high
    assert half.high - half.low == pytest.approx(2 * estimate.radius())
    copy = pickle.loads(pickle.dumps(estimate))
    assert copy.value == estimate.value
    assert np.array_equal(copy.history, estimate.history)
    assert copy.source is None
    with pytest.raises(ValueError, match="`confidence_level` must lie in"):
        estimate.confidence_interval(1.5)


def test_objects_and_names_are_the_same(rng):
    A = hermitian(rng, SPECTRA["poly"](100))
    for name, method in (("hutchpp", HutchPP()), ("na_hutchpp", NAHutchPP())):
        assert (
            rnla.trace(A, 30, method=name, rng=3).value
            == rnla.trace(A, 30, method=method, rng=3).value
        )
    free = rnla.trace(A, 30, method=HutchPP(sketch_size=14), rng=3)
    assert free.n_matvec == 30
    assert len(free.samples) == 2
