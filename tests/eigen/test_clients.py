"""Real clients, with our eigsh in the place of SciPy's."""

import numpy as np
import pytest

import rnla

pytest.importorskip("sklearn")

import sklearn.decomposition._kernel_pca as kernel_pca
import sklearn.manifold._spectral_embedding as spectral_embedding
from sklearn.cluster import SpectralClustering
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import KernelPCA
from sklearn.manifold import LocallyLinearEmbedding, SpectralEmbedding
from sklearn.manifold import _locally_linear as locally_linear
from sklearn.metrics import adjusted_rand_score


@pytest.fixture
def both(monkeypatch):
    """Run something with SciPy's eigsh and with ours; count that ours was called."""

    def run(module, call):
        theirs = call()
        calls = []

        def eigsh(*args, **kwargs):
            calls.append(args)
            return rnla.eigsh(*args, **kwargs)

        monkeypatch.setattr(module, "eigsh", eigsh)
        ours = call()
        assert calls
        return theirs, ours

    return run


@pytest.fixture(scope="module")
def digits():
    return load_digits().data[:500] / 16


def same_up_to_sign(X, Y, tolerance):
    signs = np.sign((X * Y).sum(axis=0))
    return np.abs(X - Y * signs).max() < tolerance * np.abs(X).max()


@pytest.mark.parametrize("k", [3, 20])
def test_kernel_pca(both, digits, k):
    def call():
        model = KernelPCA(k, kernel="rbf", eigen_solver="arpack", random_state=0)
        return model.fit_transform(digits), model.eigenvalues_

    (theirs, values), (ours, our_values) = both(kernel_pca, call)
    assert np.abs(our_values / values - 1).max() < 1e-10
    assert same_up_to_sign(theirs, ours, 1e-7)


def test_spectral_embedding(both, digits):
    def call():
        model = SpectralEmbedding(3, affinity="rbf", eigen_solver="arpack", random_state=0)
        return model.fit_transform(digits)

    theirs, ours = both(spectral_embedding, call)
    assert same_up_to_sign(theirs, ours, 1e-6)


def test_spectral_clustering(both):
    X, labels = make_blobs(300, centers=4, cluster_std=0.6, random_state=2)

    def call():
        model = SpectralClustering(4, gamma=0.5, eigen_solver="arpack", random_state=0)
        return model.fit_predict(X)

    theirs, ours = both(spectral_embedding, call)
    assert adjusted_rand_score(theirs, ours) == 1
    assert adjusted_rand_score(labels, ours) > 0.9


def test_locally_linear_embedding(both, digits):
    def call():
        model = LocallyLinearEmbedding(
            n_neighbors=12, n_components=2, eigen_solver="arpack", random_state=0
        )
        return model.fit_transform(digits), model.reconstruction_error_

    (_, error), (_, our_error) = both(locally_linear, call)
    assert our_error <= error * (1 + 1e-6)
