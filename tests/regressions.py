"""One test per mended bug, named by what went wrong."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS

import rnla
from rnla import ConvergenceWarning, lstsq_refine
from rnla.lstsq import SPIR, backward_error
from rnla.testing import lstsq_problem, prolate


def test_certificate_of_a_singular_matrix_was_wrong_by_ten_orders(rng):
    # An explicit inverse of the shifted factor cancelled; substitution does not.
    A = prolate(800, 40)
    b = A @ rng.standard_normal(40)
    result = lstsq_refine(A, b, method="spir", rng=0)
    assert result.backward_error <= 10 * EPS
    assert backward_error(A, b, result.x, exact=False) <= 10 * EPS


def test_small_columns_were_not_fitted_beside_large_ones(rng):
    # The backward error of the unscaled matrix was tiny after sketch-and-solve.
    A = rng.standard_normal((800, 40)) * np.logspace(-12, 12, 40)
    b = A @ rng.standard_normal(40)
    b += 1e-3 * np.linalg.norm(b) / np.sqrt(800) * rng.standard_normal(800)
    best = np.linalg.lstsq(A / np.linalg.norm(A, axis=0), b)[1][0]
    result = lstsq_refine(A, b, method="spir", rng=0)
    assert result.residual_norm <= np.sqrt(best) * (1 + 1e-8)


def test_nan_was_certified_as_perfect(rng):
    A, b = rng.standard_normal((600, 5)), rng.standard_normal(600)
    b[5] = np.nan
    with np.errstate(all="ignore"), pytest.warns(ConvergenceWarning):
        assert not lstsq_refine(A, b, method="lapack", check_finite=False).success


def test_a_tiny_right_hand_side_beside_a_huge_one_was_lost(rng):
    A, b, x = lstsq_problem(600, 12, condition=10, residual=0.1, rng=rng)
    result = lstsq_refine(A, np.column_stack([b, 2.0**660 * b]), method="spir", rng=0)
    np.testing.assert_allclose(result.x[:, 0], x, atol=1e-12)
    assert result.residual_norm[0] == pytest.approx(0.1)


def test_a_sketch_of_fewer_than_eight_rows_was_refused():
    result = lstsq_refine(np.diag([1.0, 2.0]), [1.0, 2.0], method="spir", rng=0)
    np.testing.assert_allclose(result.x, [1, 1])


def test_a_vector_without_rows_was_refused():
    assert lstsq_refine(np.zeros((0, 3)), np.zeros(0)).x.shape == (3,)


def test_byte_swapped_matrices_reached_a_kernel(rng):
    A, b = rng.standard_normal((50, 3)), rng.standard_normal(50)
    swapped = lstsq_refine(A.astype(">f8"), b.astype(">f8")).x
    np.testing.assert_allclose(swapped, lstsq_refine(A, b).x, atol=1e-14)


def test_a_kept_state_turned_into_later_ones(rng):
    A, b, _ = lstsq_problem(800, 20, condition=1e5, residual=0.1, rng=rng)
    states = []
    lstsq_refine(A, b, method="spir", rng=0, callback=states.append)
    iterates = [state.x[:, 0] for state in states if not state.certified]
    assert len({x.tobytes() for x in iterates}) == len(iterates)


def test_options_beside_a_method_object_were_ignored(rng):
    A, b = rng.standard_normal((60, 3)), rng.standard_normal(60)
    with pytest.raises(ValueError, match="`sketch_size`"):
        lstsq_refine(A, b, method=SPIR(), sketch_size=30)


def test_backward_error_of_extreme_data_was_zero(rng):
    A, b, _ = lstsq_problem(60, 5, residual=0.1, rng=rng)
    x = rng.standard_normal(5)
    expected = backward_error(A, b, x)
    found = backward_error(2.0**-660 * A, b, 2.0**660 * x)
    assert found == pytest.approx(expected, rel=1e-8)


def test_the_error_of_a_nan_in_a_spoke_of_the_sketch(rng):
    A = rng.standard_normal((900, 4))
    A[5, 2] = np.nan
    for form in (np.asarray, scipy.sparse.csr_array):
        with pytest.raises(ValueError, match="`A`"):
            lstsq_refine(form(A), np.ones(900), method="spir")


def test_minimum_norm_solutions_warned_of_nothing(rng):
    A = rng.standard_normal((9, 4)) @ rng.standard_normal((4, 30))
    for _ in range(20):
        assert rnla.lstsq_refine(A, rng.standard_normal(9)).success


def test_estimates_with_a_quadrature_did_not_survive_pickle(rng):
    # They were rebuilt as the class they derive from.
    A = np.diag(np.arange(1.0, 31))
    for made in (rnla.trace_function(np.sqrt, A, 20, rng=rng), rnla.spectral_density(A, 20)):
        copy = pickle.loads(pickle.dumps(made))
        assert type(copy) is type(made)
        assert np.array_equal(copy.value, made.value)
        assert copy.quadrature.trace(np.exp).value == made.quadrature.trace(np.exp).value
        assert copy.source is None


@pytest.mark.parametrize("method", ["xnystrace", "xsymtrace"])
def test_single_precision_was_called_exact_with_errors_of_250_error_bars(method):
    # The spectrum falls below rounding: rank 39 of 40, but not to be had from 36 vectors.
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    A = ((Q * 0.7 ** np.arange(40)) @ Q.T).astype(np.float32)
    truth = np.trace(A, dtype=float)
    ratios = []
    for matvecs in (30, 36, 39):
        for seed in range(20):
            estimate = rnla.trace(A, matvecs, method=method, assume="psd", rng=seed)
            ratios.append(abs(estimate.value - truth) / estimate.stderr)
    assert np.median(ratios) < 2
    assert np.max(ratios) < 20


@pytest.mark.parametrize("n", [2, 12, 40])
@pytest.mark.parametrize("method", ["xnystrace", "xsymtrace"])
def test_rounding_errors_were_inverted(method, n, rng):
    # w* A w is zero for skew A: its Nyström approximation was what rounding made of that.
    G = rng.standard_normal((n, n))
    estimate = rnla.trace(G - G.T, 1, method=method, rng=rng)
    assert estimate.status is not rnla.Status.EXACT
    assert abs(estimate.value) <= 1e-12 * n


@pytest.mark.parametrize("rtol", [1e-300, 1e-17, 1e200, 1e300])
@pytest.mark.parametrize("method", ["a_hutchpp", "hutchinson", "xtrace"])
def test_squares_of_extreme_tolerances_overflowed(method, rtol, rng):
    A = rng.standard_normal((50, 50)) + 5 * np.eye(50)
    estimate = rnla.trace(A, rtol=rtol, method=method, rng=rng)
    assert estimate.success
    if rtol < 1:
        assert estimate.value == pytest.approx(np.trace(A), rel=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("lowest", [1e-4, 1e-8, 1e-11])
@pytest.mark.parametrize("graded", [False, True])
def test_error_bar_of_an_exact_log_determinant_had_no_condition_number(dtype, lowest, graded, rng):
    # Wrong by 1e-3 with a bar of 3e-13; grading does no harm to Cholesky factors.
    n = 40
    G = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if dtype is complex else 0)
    Q = np.linalg.qr(G.astype(dtype))[0]
    A = (Q * np.geomspace(lowest, 1e3, n)) @ Q.conj().T
    if graded:
        d = 2.0 ** np.linspace(-20, 20, n).astype(int)
        A = A * d * d[:, None]
    A = (A + A.conj().T) / 2
    M = A.astype(np.result_type(A.dtype, np.longdouble))
    truth = np.longdouble(0)
    for k in range(n):
        truth += np.log(M[k, k].real)
        M[k + 1 :, k + 1 :] -= np.outer(M[k + 1 :, k], M[k, k + 1 :]) / M[k, k]
    estimate = rnla.logdet(A)
    assert abs(estimate.value - truth) <= 2 * estimate.stderr
    assert estimate.stderr <= 1e-12 + 100 * EPS * 1e3 / lowest


def test_operators_that_use_their_memory_again(rng):
    # Their second product was in the place of the first.
    A = rng.standard_normal((60, 60))
    A = A @ A.T
    buffer = np.empty((60, 60))

    def product(X):
        out = buffer[:, : X.shape[1]]
        np.matmul(A, X, out=out)
        return out

    for method in ("na_hutchpp", "xnystrace", "xtrace", "hutchpp"):
        value = rnla.trace(product, 30, method=method, shape=60, rng=0).value
        assert value == pytest.approx(rnla.trace(A, 30, method=method, rng=0).value, rel=1e-12)


def test_previous_of_another_kind(rng):
    A = rng.standard_normal((60, 60))
    with pytest.raises(TypeError, match=r"`previous` .* got an estimate of shape \(60,\)"):
        rnla.trace(A, 20, previous=rnla.diag(A, 20))
    with pytest.raises(TypeError, match="`previous` must be of a complex matrix"):
        rnla.trace(A + 0j, 20, previous=rnla.trace(A, 20))
    # The ratio of the two units overflowed.
    small = rnla.trace(1e-200 * A, 20, previous=rnla.trace(1e200 * A, 20, rng=1), rng=0)
    plain = rnla.trace(A, 10, method="hutchinson", rng=0)
    assert small.value == pytest.approx(1e-200 * plain.value)


@pytest.mark.parametrize("number", [bool, np.uint8])
@pytest.mark.parametrize("method", ["slq", "krylov_aware", "fun_nystrom", "exact"])
def test_functions_that_count_returned_booleans(method, number):
    # The difference of two booleans raised, and that of unsigned integers wrapped around.
    A = np.diag(np.r_[np.zeros(5), np.arange(1.0, 26)])

    def count(x):
        return (x > 0.5).astype(number)

    plain = rnla.trace_function(lambda x: 1.0 * (x > 0.5), A, 28, method=method, rng=0)
    again = rnla.trace_function(count, A, 28, method=method, rng=0)
    assert (again.value, again.radius()) == (plain.value, plain.radius())


def test_functions_were_called_on_nothing(rng):
    def f(x):
        return x / x.max()

    A = np.diag(np.arange(1.0, 31))
    for method in ("slq", "fun_nystrom", "krylov_aware"):
        with pytest.raises(ValueError, match=r"`f` must map an array of shape \([1-9]"):
            rnla.trace_function(lambda x: 1.0, A, 20, method=method, rng=rng)
    assert rnla.trace_function(f, A, 20, method="slq", rng=rng).value > 0
    with pytest.raises(TypeError, match="`f` must return real numbers, got dtype object"):
        rnla.trace_function(lambda x: x.astype(object), A, 20, method="fun_nystrom", rng=rng)


def test_complex_vectors_for_functions_of_real_matrices_became_signs():
    A = np.eye(30)
    for estimator in (rnla.logdet, rnla.spectral_density):
        with pytest.raises(ValueError, match="is for complex `A`"):
            estimator(A, 20, test_vectors="steinhaus")
    with pytest.raises(ValueError, match="is for complex `A`"):
        rnla.trace_function(np.exp, A, 20, method="slq", test_vectors="steinhaus")


def test_error_bars_of_bks_depended_on_the_block(rng):
    # Norms of blocks were added up, for the floor of the error bar.
    A = scipy.sparse.diags_array([1.0, 3.0, 1.0], offsets=[-1, 0, 1], shape=(2000, 2000))
    A = A.tocsr()
    bars = [
        rnla.diag(lambda X: A @ X, 45, shape=2000, method="bks", block=block, rng=0).stderr
        for block in (1, 7, 200)
    ]
    assert np.array_equal(bars[0], bars[1])
    assert np.array_equal(bars[0], bars[2])


@pytest.mark.parametrize("call", [rnla.logdet, rnla.spectral_density])
def test_indices_of_sparse_matrices_were_sorted_in_place(call):
    indptr, indices = np.array([0, 2, 4, 5]), np.array([1, 0, 1, 0, 2])
    A = scipy.sparse.csr_array((np.array([1.0, 4.0, 4.0, 1.0, 4.0]), indices.copy(), indptr))
    call(A)
    assert np.array_equal(A.indices, indices)


@pytest.mark.parametrize(
    "first", ["import rnla.trace", "rnla.diag", "from rnla.trace import Exact"]
)
def test_trace_could_not_be_pickled_after_some_imports(first):
    # With names that load at their first use, it may be the module.
    code = f"import pickle, rnla; {first}; pickle.dumps(rnla.trace)"
    subprocess.run([sys.executable, "-c", code], check=True)
