"""The hardest known problems for a few eigenvalues, those that have no test elsewhere."""

import itertools

import eigen_cases as cases
import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import LaplacianNd, splu

import rnla
from rnla.eigen import solve

EPS = cases.EPS


@pytest.mark.slow
@pytest.mark.parametrize("which", ["LA", "SA"])
def test_ends_of_a_long_chain_without_a_factorisation(which, rng):
    # The gaps at both ends are a millionth of the norm.
    n, k = 2000, 4
    A = scipy.sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n)).tocsr()
    case = cases.Case("chain", cases.path_laplacian(n), k, which)
    result = solve(A, k, which=which, method="lanczos", tol=1e-10, rng=rng)
    assert result.success
    np.testing.assert_allclose(result.values, case.wanted, rtol=0, atol=4e-10)
    assert cases.orthonormality(result.vectors) < 100 * EPS


def anderson(side, disorder, rng):
    """A cubic lattice with periodic walls and random energies."""
    ring = scipy.sparse.lil_array((side, side))
    i = np.arange(side)
    ring[i, (i + 1) % side] = ring[(i + 1) % side, i] = 1
    eye = scipy.sparse.eye_array(side)
    hops = sum(
        scipy.sparse.kron(scipy.sparse.kron(a, b), c)
        for a, b, c in ((ring, eye, eye), (eye, ring, eye), (eye, eye, ring))
    )
    energies = rng.uniform(-disorder / 2, disorder / 2, side**3)
    return (hops + scipy.sparse.diags_array(energies)).tocsr()


def below(A, shift):
    """Return how many eigenvalues lie below, by Sylvester's law of inertia."""
    n = A.shape[0]
    factors = splu(
        (A - shift * scipy.sparse.eye_array(n)).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    assert (factors.perm_r == factors.perm_c).all(), "pivots were not taken from the diagonal"
    return int(np.count_nonzero(factors.U.diagonal() < 0))


@pytest.mark.parametrize("side", [8, pytest.param(20, marks=pytest.mark.slow)])
def test_the_middle_of_the_anderson_model(side, rng):
    A, k = anderson(side, 16.5, rng), 10
    w, X = rnla.eigsh(A, k, sigma=0, method="lanczos", rng=rng)
    assert cases.orthonormality(X) < 100 * EPS
    assert cases.residuals(A, w, X).max() < 500 * EPS * 14
    # No other one lies as near to zero.
    reach = np.abs(w).max() * (1 + 1e-9)
    assert below(A, reach) - below(A, -reach) == k


@pytest.mark.parametrize("which", ["SA", "LA"])
@pytest.mark.parametrize("k", [2, 3, 5, 9])
def test_a_cube_where_k_cuts_a_triple(which, k, rng):
    L = LaplacianNd((9, 9, 9), boundary_conditions="dirichlet", dtype=np.float64)
    exact, every = L.eigenvalues(), L.eigenvectors()
    wanted = exact[:k] if which == "SA" else exact[-k:]
    w, X = rnla.eigsh(L.tosparse(), k, which=which, method="lanczos", rng=rng)
    np.testing.assert_allclose(w, wanted, rtol=0, atol=100 * EPS * 12)
    # Any orthonormal vectors of the eigenspaces will do.
    inside = every[:, np.abs(exact[:, None] - w).min(axis=1) < 1e-8]
    assert np.abs(X - inside @ (inside.T @ X)).max() < 1e-10
    assert cases.orthonormality(X) < 100 * EPS


@pytest.mark.parametrize("sigma", [None, 0.3])
@pytest.mark.parametrize("dtype", [np.float32, float, np.complex64, complex])
def test_k_are_among_k_and_one(dtype, sigma, rng):
    spectrum = np.concatenate([[1.0, 1.0, -1.5], rng.uniform(-1, 1, 57)])
    A = cases.hermitian(spectrum, rng, dtype)
    units = 300 * np.finfo(dtype).eps
    for which, k in itertools.product(("LM", "SM", "LA", "SA"), (1, 2, 5)):
        few, more = (
            rnla.eigsh(A, count, which=which, sigma=sigma, method="lanczos", rng=rng)[0]
            for count in (k, k + 1)
        )
        left = list(more)
        for value in few:
            nearest = int(np.argmin(np.abs(np.array(left) - value)))
            assert abs(left.pop(nearest) - value) <= units, (which, k)


@pytest.mark.parametrize("dtype", [np.float32, float])
def test_arpack_ng_1315(dtype, rng):
    # As in SciPy's test_regression_arpackng_1315.
    exact = np.arange(1, 1001, dtype=dtype)
    A = scipy.sparse.diags_array(exact)
    w, X = rnla.eigsh(A, 9, ncv=19, which="LM", v0=rng.random(1000).astype(dtype), rng=rng)
    np.testing.assert_allclose(w, exact[-9:], rtol=1e-4)
    assert cases.orthonormality(X) < 100 * np.finfo(dtype).eps
