"""Code that calls `scipy.sparse.linalg.svds`, with ours in its place."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import LinearOperator
from sklearn.decomposition import PCA, TruncatedSVD, _pca, _truncated_svd

from rnla.eigen import svds


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array, scipy.sparse.csr_matrix])
@pytest.mark.parametrize("shape", [(300, 120), (120, 300), (40, 9)])
def test_truncated_svd_of_scikit_learn(shape, form, rng, monkeypatch):
    X = form(rng.standard_normal(shape) @ np.diag(0.8 ** np.arange(shape[1])))
    theirs = TruncatedSVD(5, algorithm="arpack", random_state=0).fit_transform(X)
    monkeypatch.setattr(_truncated_svd, "svds", svds)
    model = TruncatedSVD(5, algorithm="arpack", random_state=0)
    np.testing.assert_allclose(model.fit_transform(X), theirs, atol=1e-10)


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("shape", [(300, 120), (120, 300)])
def test_pca_of_scikit_learn(shape, form, rng, monkeypatch):
    X = form(rng.standard_normal(shape) @ np.diag(0.8 ** np.arange(shape[1])))
    theirs = PCA(4, svd_solver="arpack", random_state=0).fit(X)
    monkeypatch.setattr(_pca, "svds", svds)
    ours = PCA(4, svd_solver="arpack", random_state=0).fit(X)
    np.testing.assert_allclose(ours.components_, theirs.components_, atol=1e-9)
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_)


def test_threads_do_not_disturb_each_other(rng):
    matrices = [rng.standard_normal((150, 120)) for _ in range(4)]
    alone = [svds(A, 3, rng=7) for A in matrices]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda A: svds(A, 3, rng=7), matrices))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one[1], other[1], rtol=1e-13)


def test_an_operator_may_call_svds_itself(rng):
    A = rng.standard_normal((120, 100))
    inner = rng.standard_normal((90, 80))
    expected = np.linalg.svd(inner, compute_uv=False)[0]

    def product(x):
        assert abs(svds(inner, 1, return_singular_vectors=False, rng=0)[0] - expected) < 1e-10
        return A @ x

    operator = LinearOperator(A.shape, matvec=product, rmatvec=A.T.dot, dtype=float)
    sigma = svds(operator, 2, return_singular_vectors=False, options={"verify": False}, rng=0)
    np.testing.assert_allclose(sigma[::-1], np.linalg.svd(A, compute_uv=False)[:2])
