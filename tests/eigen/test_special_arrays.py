"""SciPy's special arrays of known eigenvalues: its own lobpcg tests, and the exact values."""

import itertools
import math
import warnings

import eigen_cases as cases
import numpy as np
import pytest
from scipy.sparse.linalg import LaplacianNd
from scipy.sparse.linalg._special_sparse_arrays import MikotaPair, Sakurai

import rnla

theirs = pytest.importorskip(
    "scipy.sparse.linalg._eigen.lobpcg.tests.test_lobpcg", reason="SciPy came without its tests"
)
BOUNDARIES = ["dirichlet", "neumann", "periodic"]
GRIDS = [(90,), (9, 11), (5, 4, 6)]


@pytest.fixture
def in_place(monkeypatch):
    """Put ours in the place of SciPy's eigsh, which its tests compare lobpcg with."""
    monkeypatch.setattr(theirs, "eigsh", rnla.eigsh)
    # What lobpcg says of itself; pytest has SciPy's own filters for it on the functions alone.
    with warnings.catch_warnings():
        for message in ("The problem size", "Exited at iteration", "Exited postprocessing"):
            warnings.filterwarnings("ignore", message)
        yield


@pytest.mark.usefixtures("in_place")
@pytest.mark.parametrize(("n", "atol"), [(20, 1e-3), (5, 1e-8)])
def test_eigsh_consistency(n, atol):
    theirs.test_eigsh_consistency(n, atol)


@pytest.mark.usefixtures("in_place")
def test_sakurai():
    theirs.test_sakurai()


@pytest.mark.usefixtures("in_place")
@pytest.mark.parametrize("n", [500, 1000])
def test_sakurai_inverse(n):
    theirs.test_sakurai_inverse(n)


@pytest.mark.usefixtures("in_place")
@pytest.mark.parametrize("n", [10, 20, 128, 256, 512, 1024, 2048])
def test_mikota_pair(n):
    theirs.test_MikotaPair(n)


@pytest.mark.parametrize(
    ("n", "form"), [(10, "operator"), (1500, "operator"), (10, "sparse"), (2048, "sparse")]
)
def test_mikota_pair_by_a_shift(n, form, rng):
    pair, k = MikotaPair(n), 4
    K, M = (pair.k.tosparse(), pair.m.tosparse()) if form == "sparse" else (pair.k, pair.m)
    w, X = rnla.eigsh(K, k, M, sigma=0, rng=rng)
    # Squares of whole numbers, beside a largest one of n squared.
    np.testing.assert_allclose(w, np.arange(1, k + 1) ** 2, rtol=0, atol=100 * cases.EPS * n**2)
    assert np.abs(X.T @ (pair.m @ X) - np.eye(k)).max() < 100 * cases.EPS


@pytest.mark.parametrize("n", [50, 200])
@pytest.mark.parametrize("which", ["LA", "SM"])
@pytest.mark.parametrize("form", ["operator", "sparse"])
def test_sakurai_ends(n, which, form, rng):
    A, k = Sakurai(n, dtype=np.float64), 4
    exact = A.eigenvalues()
    wanted = exact[-k:] if which == "LA" else exact[:k]
    w = rnla.eigsh(A.tosparse() if form == "sparse" else A, k, which=which, rng=rng)[0]
    np.testing.assert_allclose(w, wanted, rtol=0, atol=100 * cases.EPS * exact[-1])


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: "x".join(map(str, grid)))
@pytest.mark.parametrize("form", ["operator", "sparse"])
def test_laplacian_has_its_exact_eigenvalues(boundary, grid, form, rng):
    L = LaplacianNd(grid, boundary_conditions=boundary, dtype=np.float64)
    exact, n = np.sort(L.eigenvalues()), math.prod(grid)
    A = L.tosparse() if form == "sparse" else L
    # With k in the midst of copies, too.
    for k, (which, wanted) in itertools.product(
        (3, 5), (("SA", slice(0, None)), ("LA", slice(None, None, -1)))
    ):
        w, X = rnla.eigsh(A, k, which=which, method="lanczos", rng=rng)
        np.testing.assert_allclose(
            w, np.sort(exact[wanted][:k]), rtol=0, atol=100 * cases.EPS * np.abs(exact).max()
        )
        assert X.shape == (n, k)
        assert cases.orthonormality(X) < 100 * cases.EPS
        assert cases.residuals(L.toarray(), w, X).max() < 200 * cases.EPS * np.abs(exact).max()


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_smooth_end_of_a_cube(boundary, rng):
    # Near zero, where the shift meets an eigenvalue unless the walls are cold. Copies by threes.
    L = LaplacianNd((12, 12, 12), boundary_conditions=boundary, dtype=np.float64)
    exact = np.sort(np.abs(L.eigenvalues()))
    w = rnla.eigsh(L.tosparse(), 9, which="SM", rng=rng, return_eigenvectors=False)
    np.testing.assert_allclose(np.sort(np.abs(w)), exact[:9], rtol=0, atol=1200 * cases.EPS)
