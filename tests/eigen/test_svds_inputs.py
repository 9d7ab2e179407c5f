"""What `svds` accepts, refuses and returns, argument by argument."""

import inspect
import warnings

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, aslinearoperator
from scipy.sparse.linalg import svds as scipy_svds
from svds_cases import assert_triplets, planted

from rnla import ConvergenceWarning
from rnla.eigen import svds


def matrix(m=120, n=100):
    return planted(m, n, 0.9 ** np.arange(min(m, n)), rng=0)


def test_the_signature_is_scipys_but_for_the_default_solver():
    ours = inspect.signature(svds).parameters
    theirs = inspect.signature(scipy_svds).parameters
    names = ["A", "k", "ncv", "tol", "which", "v0", "maxiter", "return_singular_vectors"]
    names += ["solver", "rng", "options"]
    assert list(ours) == names
    for name in set(names) & set(theirs) - {"solver"}:
        assert ours[name].default == theirs[name].default
    assert ours["solver"].default == "auto"


BAD = [
    ("k", 0, ValueError, r"`k` must be an integer satisfying `0 < k < min\(A.shape\)`: in 1..99"),
    ("k", 100, ValueError, "got 100"),
    ("k", 2.5, ValueError, r"got 2\.5"),
    ("k", np.nan, ValueError, "integer"),
    ("k", 3.0, ValueError, r"`k` must be an integer satisfying .*, got 3\.0"),
    ("k", True, TypeError, "`k` must be an integer satisfying .*, got True"),
    ("k", None, TypeError, "`k` must be an integer satisfying .*, got None: int"),
    ("k", "a", ValueError, "`k` must be an integer satisfying .*, got 'a': invalid literal"),
    ("k", "3", ValueError, "`k` must be an integer satisfying .*, got '3'"),
    ("k", np.array([3]), TypeError, "`k` must be an integer satisfying"),
    ("ncv", "a", ValueError, "`ncv` must be an integer satisfying .*, got 'a'"),
    ("ncv", 50.0, ValueError, r"`ncv` must be an integer satisfying .*, got 50\.0"),
    ("ncv", True, TypeError, "`ncv` must be an integer satisfying .*, got True"),
    ("ncv", [50], TypeError, r"`ncv` must be an integer satisfying .*, got \[50\]: int"),
    ("tol", "a", TypeError, "`tol` must be a non-negative .* Got 'a': '<' not supported"),
    ("tol", None, TypeError, "`tol` must be a non-negative floating point value. Got None"),
    ("tol", True, TypeError, "`tol` must be a non-negative floating point value. Got True"),
    ("tol", 1j, TypeError, "`tol` must be a non-negative floating point value. Got 1j"),
    ("tol", np.ones(2), TypeError, "`tol` must be a non-negative floating point value. Got arr"),
    ("tol", np.inf, ValueError, "`tol` must be a non-negative floating point value. Got inf"),
    ("maxiter", "a", ValueError, "`maxiter` must be a positive integer.* got 'a'"),
    ("maxiter", np.nan, ValueError, "`maxiter` must be a positive integer.* got nan"),
    ("maxiter", np.inf, ValueError, "`maxiter` must be a positive integer.* got inf"),
    ("maxiter", True, TypeError, "`maxiter` must be a positive integer.* got True"),
    ("ncv", 6, ValueError, "`ncv` must be an integer satisfying .* between 6 and 100, got 6"),
    ("ncv", 100, ValueError, "`ncv`"),
    ("tol", -1, ValueError, "`tol` must be a non-negative floating point value. Got -1"),
    ("tol", np.nan, ValueError, "`tol`"),
    ("which", "LA", ValueError, r"`which` must be in \{'LM', 'SM'\}, got 'LA'"),
    ("v0", np.ones(99), ValueError, r"`v0` must have shape \(100,\), got \(99,\)"),
    ("v0", np.ones((100, 1)), ValueError, "`v0` must have shape"),
    ("v0", np.ones(100, int), ValueError, "`v0` must be of floating or complex floating"),
    ("v0", np.full(100, np.nan), ValueError, "`v0` must not contain NaN or infinity"),
    ("v0", np.ones(100) + 1j, ValueError, "`v0` must be real for `A` of dtype float64"),
    ("maxiter", 0, ValueError, "`maxiter` must be a positive integer. Got 0"),
    ("maxiter", 1.5, ValueError, "`maxiter`"),
    ("return_singular_vectors", "uv", ValueError, "`return_singular_vectors` must be in"),
    ("return_singular_vectors", 3, ValueError, "got 3"),
    ("return_singular_vectors", None, ValueError, "got None"),
    ("solver", "svdl", ValueError, "`solver`='svdl': the solver must be one of 'auto', 'arpack'"),
    ("solver", "sketched", ValueError, "`solver`='sketched' computes the smallest"),
    ("rng", "seed", TypeError, "`rng` must be None, a non-negative seed"),
    ("rng", -1, ValueError, "`rng`"),
    ("options", 3, TypeError, "`options` must be a dict or None, got 3"),
    ("options", {"blocks": 3}, ValueError, "`options` may have the keys 'block_size', 'sketch_si"),
    ("options", {"block_size": 0}, ValueError, r"`options\['block_size'\]` must be in 1..100"),
    ("options", {"sketch_size": 50}, ValueError, r"`options\['sketch_size'\]` must be in 100..120"),
    ("options", {"verify": 1}, TypeError, r"`options\['verify'\]` must be True or False, got 1"),
]


@pytest.mark.parametrize(("name", "value", "error", "message"), BAD)
def test_a_bad_argument_is_named(name, value, error, message):
    with pytest.raises(error, match=message):
        svds(matrix(), **{name: value})


BAD_MATRICES = [
    (None, TypeError, "`A` must be a matrix or LinearOperator, got None: type not understood"),
    ("hi", TypeError, "`A` must be a matrix or LinearOperator, got 'hi'"),
    (3.0, TypeError, "`A` must be a matrix or LinearOperator, got 3.0"),
    ([[1, 2], [3]], ValueError, "`A` must be a matrix: .* inhomogeneous"),
    ([["a", "b"], ["c", "d"]], ValueError, "`A` must be of numeric data type"),
    (np.ones((0, 3)), ValueError, "`A` must not be empty"),
    (np.array([["a", "b"], ["c", "d"]]), ValueError, "`A` must be of numeric data type"),
    (np.array([[1, 2], [3, 4]], object), ValueError, "`A` must be of numeric data type"),
    (np.ones((3, 4), np.longdouble), TypeError, "`A` must hold numbers of type float32, float64"),
]


@pytest.mark.parametrize(("A", "error", "message"), BAD_MATRICES)
def test_what_is_no_matrix_is_refused(A, error, message):
    with pytest.raises(error, match=message):
        svds(A, 1)


def test_nested_lists_are_matrices():
    A = matrix(12, 8)
    for which in ("LM", "SM"):
        found = svds(A.tolist(), 2, which=which, rng=0)
        assert bits(found) == bits(svds(A, 2, which=which, rng=0))
    assert_triplets(np.array([[1.0, 2], [3, 4], [5, 6]]), svds([[1.0, 2], [3, 4], [5, 6]], 1))
    assert_triplets(np.array([[1, 2j], [3, 4]]), svds(((1, 2j), (3, 4)), 1))


def test_whole_numbers_of_other_types():
    A = matrix()
    expected = bits(svds(A, 3, ncv=40, maxiter=100, tol=0.0, rng=0))
    found = svds(A, np.int8(3), ncv=np.array(40), maxiter=1e2, tol=np.float32(0), rng=0)
    assert bits(found) == expected


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("form", [np.array, scipy.sparse.csr_array, aslinearoperator])
@pytest.mark.parametrize("size", [5, 120])
def test_nan_and_infinity_are_refused(value, form, size):
    A = np.ones((size, size))
    A[3, 4] = value
    for which in ("LM", "SM"):
        with pytest.raises(ValueError, match="must not contain NaN or infinity"):
            svds(form(A), 2, which=which)


class Plain(LinearOperator):
    """Vectors only, and of SciPy's two shapes only."""

    def __init__(self, A):
        self.A, self.shape, self.dtype = A, A.shape, A.dtype

    def _matvec(self, x):
        assert x.size == max(x.shape) == self.shape[1]
        return self.A @ x

    def _rmatvec(self, x):
        assert x.size == max(x.shape) == self.shape[0]
        return self.A.conj().T @ x


@pytest.mark.parametrize("shape", [(6, 7), (9, 5), (120, 100), (100, 120), (900, 90)])
@pytest.mark.parametrize("which", ["LM", "SM"])
def test_an_operator_that_only_multiplies_vectors(which, shape, rng):
    A = planted(*shape, 0.9 ** np.arange(min(shape)), rng=rng, dtype=np.complex128)
    triplets = svds(Plain(A), 3, which=which, rng=rng)
    assert_triplets(A, triplets, which=which, left=2e4)


def test_an_operator_that_returns_nan_is_refused():
    A = LinearOperator(
        (200, 100),
        matvec=lambda x: x.sum() * np.full(200, np.nan),
        rmatvec=lambda x: np.zeros(100),
        dtype=float,
    )
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        svds(A, 2)


def test_an_operator_without_an_adjoint_is_refused():
    A = LinearOperator((200, 100), matvec=lambda x: np.resize(x, 200), dtype=float)
    with pytest.raises(TypeError, match="`A` must have `rmatvec`: its adjoint is needed"):
        svds(A, 2)


def test_an_adjoint_that_is_none_is_refused(rng):
    A, B = rng.standard_normal((2, 200, 100))
    wrong = LinearOperator(A.shape, matvec=A.dot, rmatvec=B.T.dot, dtype=float)
    with pytest.raises(ValueError, match=r"`A.rmatvec` must be the adjoint of `A.matvec`"):
        svds(wrong, 2)


@pytest.mark.parametrize("shape", [(120, 100), (100, 120), (30, 20)])
def test_which_vectors_are_returned(shape):
    A = matrix(*shape)
    U, sigma, VH = svds(A, 3, rng=0)
    assert_triplets(A, (U, sigma, VH))
    np.testing.assert_array_equal(svds(A, 3, return_singular_vectors=False, rng=0), sigma)
    left, middle, right = svds(A, 3, return_singular_vectors="u", rng=0)
    np.testing.assert_array_equal(left, U)
    np.testing.assert_array_equal(middle, sigma)
    assert right is None
    left, middle, right = svds(A, 3, return_singular_vectors="vh", rng=0)
    assert left is None
    np.testing.assert_array_equal(right, VH)


METHODS = {"LM": "krylov", "SM": "sketched"}


def bits(triplets):
    return [part.tobytes() for part in triplets]


@pytest.mark.parametrize("which", ["LM", "SM"])
def test_equal_seeds_give_equal_bits(which):
    A, solver = matrix(900, 100), METHODS[which]
    first = bits(svds(A, 3, which=which, solver=solver, rng=7))
    assert bits(svds(A, 3, which=which, solver=solver, rng=7)) == first
    again = svds(A, 3, which=which, solver=solver, rng=np.random.default_rng(7))
    assert bits(again) == first
    assert bits(svds(A, 3, which=which, solver=solver, rng=8)) != first


@pytest.mark.parametrize("which", ["LM", "SM"])
def test_a_start_vector_wins_over_the_seed(which, rng):
    A, v0, solver = matrix(900, 100), rng.standard_normal(100), METHODS[which]
    first = svds(A, 3, which=which, v0=v0, solver=solver, rng=0)
    assert bits(svds(A, 3, which=which, v0=v0, solver=solver, rng=1)) == bits(first)
    other = svds(A, 3, which=which, v0=-v0[::-1], solver=solver, rng=0)
    assert bits(other) != bits(first)
    assert_triplets(A, first, which=which, left=2e4)


def test_propack_starts_from_the_left(rng):
    A = matrix(120, 100)
    for B, length in ((A, 120), (A.T, 100)):
        assert_triplets(B, svds(B, 3, v0=rng.standard_normal(length), solver="propack"))
        with pytest.raises(ValueError, match="`v0` must have shape"):
            svds(B, 3, v0=np.ones(220 - length), solver="propack")


def test_a_start_vector_of_zeros_or_of_a_triplet_does_no_harm():
    A = np.diag(np.arange(1.0, 121))
    for v0 in (np.zeros(120), np.eye(120)[0]):
        assert_triplets(A, svds(A, 3, v0=v0))


def test_the_callers_arrays_and_generator(rng):
    A, v0 = matrix(), rng.standard_normal(100)
    copies = A.copy(), v0.copy()
    A.flags.writeable = v0.flags.writeable = False
    svds(A, 2, v0=v0)
    np.testing.assert_array_equal(A, copies[0])
    np.testing.assert_array_equal(v0, copies[1])
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    svds(A, 2)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


HARD = np.diag(np.linspace(1, 2, 400))


def test_no_convergence_carries_what_converged():
    A = HARD.copy()
    A[-1, -1] = 10
    with pytest.raises(ArpackNoConvergence, match="ARPACK error -1: No convergence") as caught:
        svds(A, 3, ncv=12, maxiter=6, rng=0)
    squares, V = caught.value.eigenvalues, caught.value.eigenvectors
    assert len(squares) == V.shape[1] >= 1
    np.testing.assert_allclose(A.T @ (A @ V), V * squares, atol=1e-10)
    np.testing.assert_allclose(squares[0], 100)


def test_no_convergence_in_the_words_of_each_solver():
    with pytest.raises(
        np.linalg.LinAlgError, match="k=3 singular triplets did not converge within"
    ):
        svds(HARD, 3, ncv=12, maxiter=1, solver="propack", rng=0)
    with pytest.warns(ConvergenceWarning, match="Exited at iteration 1"):
        svds(HARD, 3, ncv=12, maxiter=1, solver="lobpcg", rng=0)


def test_no_warning_where_all_is_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svds(matrix(), 3, rng=0)


def test_options_take_effect(rng):
    products = []

    def counted(A):
        def matmat(X):
            products.append(X.shape[1])
            return A @ X

        return LinearOperator(
            A.shape, matvec=A.dot, matmat=matmat, rmatvec=A.T.dot, rmatmat=A.T.dot, dtype=A.dtype
        )

    A = planted(300, 200, 0.8 ** np.arange(200), rng=rng)
    svds(counted(A), 3, options={"block_size": 5}, rng=0)
    assert set(products[1:-1]) == {5}
    with_search, products = len(products), []
    svds(counted(A), 3, options={"block_size": 5, "verify": False}, rng=0)
    assert len(products) < with_search
    tall = planted(1500, 80, 0.9 ** np.arange(80), rng=rng)
    small, other = (
        svds(tall, 2, which="SM", solver="sketched", options={"sketch_size": size}, rng=0)
        for size in (200, 400)
    )
    assert bits(small) != bits(other)


@pytest.mark.parametrize("which", ["LM", "SM"])
@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.float64])
def test_subnormal_entries(dtype, form, which, rng):
    # Integers in units of the smallest number there is, which are exact.
    entries = rng.integers(-1000, 1001, (200, 150))
    unit = np.finfo(dtype).smallest_subnormal
    sigma = svds(form((entries * unit).astype(dtype)), 6, which=which, rng=rng)[1]
    exact = np.linalg.svd(entries.astype(float), compute_uv=False)
    wanted = exact[5::-1] if which == "LM" else exact[:-7:-1]
    # Half a unit of the result, and the roundoff of a single precision matrix.
    error = np.abs(sigma / unit - wanted).max()
    assert error <= 1 + 100 * np.finfo(dtype).eps * exact[0]


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize(("m", "n"), [(40, 25), (3000, 900)])
def test_singular_values_that_have_no_number(m, n, form, rng):
    """Entries may be finite where the norm is not."""
    A = np.zeros((m, n))
    A[:40, :25] = rng.uniform(0.5, 1, (40, 25)) * 1.5e308
    with pytest.raises(ValueError, match="`A` has singular values beyond the range of float64"):
        svds(form(A), 2, rng=rng)


def test_half_precision_counts_as_double(rng):
    A = matrix().astype(np.float16)
    s = svds(A, 3, rng=rng)[1]
    assert s.dtype == scipy_svds(A.astype(float), 3)[1].dtype
    np.testing.assert_allclose(np.sort(s), np.sort(scipy_svds(A.astype(float), 3)[1]), rtol=1e-12)
