"""SciPy's contract: order, types, messages."""

import eigen_cases as cases
import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, aslinearoperator

import rnla
from rnla.eigen import EigenNoConvergence, solve

ENGINES = ["dense", "lanczos"]
KINDS = [np.asarray, scipy.sparse.csr_array, scipy.sparse.csc_matrix, aslinearoperator]


@pytest.fixture
def A(rng):
    return cases.hermitian(np.linspace(-1, 1.3, 80) ** 3 + 0.01, rng)


@pytest.mark.parametrize("method", ENGINES)
@pytest.mark.parametrize("vectors", [True, False])
@pytest.mark.parametrize("which", ["LM", "SM", "LA", "SA", "BE"])
@pytest.mark.parametrize("sigma", [None, 0.2])
def test_order_and_values_are_those_of_scipy(A, which, vectors, method, sigma, rng):
    options = {"which": which, "sigma": sigma, "return_eigenvectors": vectors}
    ours = rnla.eigsh(A, 5, method=method, rng=rng, **options)
    if which == "SM":
        # What ARPACK would return, if it converged: with a shift, the farthest from it.
        theirs = np.linalg.eigvalsh(A)
        distance = -np.abs(theirs) if sigma is None else np.abs(theirs - sigma)
        theirs = theirs[np.argsort(distance)][-5:]
        theirs = theirs if sigma is None and not vectors else np.sort(theirs)
        theirs = (theirs,) if vectors else theirs
    else:
        # A start of its own, and room, lest its convergence be a matter of luck.
        start = rng.standard_normal(len(A))
        theirs = scipy.sparse.linalg.eigsh(A, 5, v0=start, ncv=60, **options)
    if vectors:
        ours, theirs = ours[0], theirs[0]
    assert np.abs(ours - theirs).max() < 1e-11


@pytest.mark.parametrize("method", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["f", "d", "F", "D", "i", "?", "e"])
def test_types(dtype, kind, method, rng):
    if dtype == "e" and kind not in (np.asarray, aslinearoperator):
        pytest.skip("SciPy has no sparse matrices of half precision")
    A = 10 * cases.hermitian(np.linspace(-1, 1, 90), rng, complex if dtype in "FD" else float)
    A = A.astype(dtype)
    A = A | A.T if dtype == "?" else A + A.conj().T if dtype == "i" else A
    w, X = rnla.eigsh(kind(A), 4, method=method, rng=rng)
    double = dtype not in "fF"
    assert w.dtype == (float if double else np.float32)
    assert X.dtype == {"f": np.float32, "F": np.complex64, "D": complex}.get(dtype, float)
    assert X.shape == (90, 4)
    assert X.flags.c_contiguous
    scale, eps = np.linalg.norm(A.astype("D"), 2), np.finfo(w.dtype).eps
    assert cases.residuals(A.astype("D"), w, X).max() < 100 * eps * scale
    assert cases.orthonormality(X) < 100 * eps


MESSAGES = [
    ({"k": 0}, ValueError, "k must be greater than 0"),
    ({"k": 3.0}, TypeError, "`k` must be an integer"),
    ({"k": True}, TypeError, "`k`"),
    ({"which": "la"}, ValueError, "which must be one of LM SM LA SA BE, got 'la'"),
    ({"which": np.array(["LM", "SM"])}, ValueError, "which must be one of LM SM LA SA BE, got arr"),
    ({"which": ["LM"]}, ValueError, r"which must be one of LM SM LA SA BE, got \['LM'\]"),
    ({"sigma": 0.1, "mode": np.ones(2)}, ValueError, "unrecognized mode array"),
    ({"ncv": 6}, ValueError, "ncv must be k<ncv<=n, ncv=6"),
    ({"maxiter": 0}, ValueError, "maxiter must be positive, maxiter=0"),
    ({"tol": "a"}, TypeError, "`tol`"),
    ({"tol": np.nan}, ValueError, "`tol`"),
    ({"M": np.eye(79)}, ValueError, r"wrong M dimensions \(79, 79\), should be \(80, 80\)"),
    ({"Minv": np.eye(80)}, ValueError, "Minv should not be specified with M = None"),
    ({"Minv": np.eye(80), "sigma": 1.0}, ValueError, "Minv should not be specified when sigma"),
    ({"OPinv": np.eye(80)}, ValueError, "OPinv should not be specified with sigma = None"),
    ({"sigma": 0.1, "mode": "foo"}, ValueError, "unrecognized mode 'foo'"),
    ({"sigma": "x"}, TypeError, "`sigma`"),
    ({"sigma": "0.5"}, TypeError, "`sigma` must be a real number, got '0.5'"),
    ({"sigma": 1j}, ValueError, "`sigma`"),
    ({"v0": np.ones(79)}, ValueError, r"`v0` must have shape \(80,\)"),
    ({"v0": np.ones(80) * 1j}, ValueError, "`v0` must be real"),
    ({"v0": np.full(80, np.nan)}, ValueError, "`v0` must not contain NaN"),
    ({"method": "magic"}, ValueError, "`method` must be one of"),
    ({"block_size": 0}, ValueError, "`block_size`"),
    ({"callback": 1}, TypeError, "`callback`"),
    ({"verify": 1}, TypeError, "`verify`"),
    ({"rng": "seed"}, TypeError, "`rng`"),
]


@pytest.mark.parametrize(("options", "error", "message"), MESSAGES)
def test_messages(A, options, error, message):
    with pytest.raises(error, match=message):
        rnla.eigsh(A, **options)


@pytest.mark.parametrize(
    ("A", "error", "message"),
    [
        (np.ones((3, 4)), ValueError, r"expected square matrix \(shape=\(3, 4\)\)"),
        (np.ones((3, 3, 3)), ValueError, "expected 2-D"),
        (np.ones(3), ValueError, "expected 2-D"),
        ([[1, 2], [3]], ValueError, "`A` must be a matrix: .* inhomogeneous"),
        (None, TypeError, "`A`"),
        (np.eye(9, dtype=object), ValueError, "matrix type must be 'f', 'd', 'F', or 'D'"),
        (np.eye(9, dtype=np.longdouble), ValueError, "matrix type must be"),
        (np.full((9, 9), np.nan), ValueError, "NaN"),
        (scipy.sparse.csr_array(np.full((9, 9), np.inf)), ValueError, "NaN"),
        (aslinearoperator(np.full((99, 99), np.nan)), ValueError, "NaN"),
        (LinearOperator((99, 99), lambda x: x * np.nan, dtype=float), ValueError, "NaN"),
    ],
)
def test_matrices_that_are_none(A, error, message):
    with pytest.raises(error, match=message):
        rnla.eigsh(A, 2)


def test_precision_of_M_differs():
    A, M = np.diag(np.arange(1.0, 91)), np.eye(90, dtype=np.float32)
    with pytest.warns(UserWarning, match="M does not have the same type precision as A"):
        w = rnla.eigsh(A, 2, M=M)[0]
    assert np.abs(w - [89, 90]).max() < 1e-12


@pytest.mark.parametrize("k", [4, 7])
def test_all_eigenvalues(k, rng):
    A = cases.hermitian(np.arange(4.0), rng)
    with pytest.warns(RuntimeWarning, match="k >= N for N"):
        w, _ = rnla.eigsh(A, k)
    assert np.abs(w - np.arange(4)).max() < 1e-14
    for form in (scipy.sparse.csr_array, aslinearoperator):
        with pytest.warns(RuntimeWarning), pytest.raises(TypeError, match="Cannot use scipy"):
            rnla.eigsh(form(A), k)


def test_no_convergence_is_scipys_with_what_was_found(rng):
    A = scipy.sparse.diags_array(np.concatenate([[100.0], np.linspace(0, 1, 1999)])).tocsr()
    with pytest.raises(ArpackNoConvergence) as caught:
        rnla.eigsh(A, 3, ncv=12, maxiter=3, rng=rng)
    error = caught.value
    assert isinstance(error, EigenNoConvergence)
    assert str(error) == (
        "ARPACK error -1: No convergence (3 iterations, 1/3 eigenvectors converged)"
    )
    assert np.abs(error.eigenvalues - 100).max() < 1e-11
    assert error.eigenvectors.shape == (2000, 1)
    assert len(error.result.values) == 3
    with pytest.warns(rnla.ConvergenceWarning, match="maxiter"):
        assert not solve(A, 3, ncv=12, maxiter=2, rng=rng).success


@pytest.mark.parametrize("method", ENGINES)
def test_the_same_seed_gives_the_same_bits(method, rng):
    for dtype in (float, complex):
        A = cases.hermitian(np.linspace(0, 1, 90), rng, dtype)
        for options in ({}, {"sigma": 0.5}, {"which": "SM"}, {"M": np.diag(np.arange(1.0, 91))}):
            first = rnla.eigsh(A, 3, method=method, rng=7, **options)
            again = rnla.eigsh(A, 3, method=method, rng=7, **options)
            assert (first[0] == again[0]).all()
            assert (first[1] == again[1]).all()


@pytest.mark.parametrize("unit", [1.0, 1e100])
@pytest.mark.parametrize("sigma", [None, 0.35001])
def test_every_look_is_recorded(sigma, unit, rng):
    A = scipy.sparse.diags_array(np.linspace(0, 1, 2000)) * unit
    result = solve(A, 4, sigma=None if sigma is None else sigma * unit, rng=rng)
    looks = len(result.history)
    assert looks > 1
    assert result.value_history.shape == (looks, 4)
    assert (np.diff(result.value_history, axis=1) >= 0).all()
    # It ends at the answer, and its residuals fell on the way there.
    np.testing.assert_allclose(result.value_history[-1], result.values, rtol=1e-12)
    if sigma is not None:
        # Those of the inverse are not the caller's.
        assert result.residual_history.shape == (0, 4)
        return
    assert result.residual_history.shape == (looks, 4)
    first, last = result.residual_history[[0, -1]].max(axis=1)
    assert 1e-3 * unit < first < unit
    assert last < 1e-6 * first
