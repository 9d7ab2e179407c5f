"""The Gram matrix of a sparse matrix, which "auto" tries before it sketches."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

import rnla
from rnla.linalg.normal import as_normal
from rnla.lstsq import Gram, choose_method


def sparse(m, n, per_row, rng, dtype=float):
    A = random_array((m, n), density=min(1.0, per_row / n), rng=rng).tocsr()
    A.data -= 0.5
    if np.dtype(dtype).kind == "c":
        A = A * np.exp(1j)
    return csr_array(A, dtype=dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("shape", [(40, 1), (700, 30), (900, 300), (1000, 513)])
def test_equals_the_dense_product(shape, dtype, rng):
    A = sparse(*shape, 5, rng, dtype)
    B = rng.standard_normal((shape[0], 2)).astype(dtype)
    weights = rng.random(shape[0])
    dense = A.toarray().astype(np.result_type(dtype, np.float64))
    for root, normal in ((1.0, as_normal(A)), (np.sqrt(weights), as_normal(A, weights))):
        W = np.reshape(root, (-1, 1)) * dense
        G, C = normal.gram(B)
        np.testing.assert_allclose(G, W.conj().T @ W, atol=1e-13 * np.linalg.norm(dense) ** 2)
        np.testing.assert_allclose(C, W.conj().T @ B, atol=1e-6 * np.linalg.norm(dense))
        np.testing.assert_array_equal(G, G.conj().T)


def test_equal_bits_for_any_number_of_threads(rng):
    A = sparse(20_000, 200, 8, rng)
    results = []
    for threads in (1, 2, 3):
        with rnla.limit_threads(threads):
            results.append(as_normal(A).gram(np.ones((20_000, 1)))[0])
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_auto_tries_it_and_goes_on_to_a_sketch(rng):
    A = sparse(60_000, 150, 6, rng)
    b = A @ np.ones(150) + 1e-3 * rng.standard_normal(60_000)
    assert isinstance(choose_method(A, b).method, Gram)
    assert rnla.lstsq_refine(A, b, rng=0).method == "gram"
    # Two columns that differ by 1e-9: no column scaling helps.
    mixing = np.eye(150)
    mixing[:2, 1] = 1.0, 1e-9
    hard = csr_array(A @ csr_array(mixing))
    result = rnla.lstsq_refine(hard, b, rng=0)
    assert result.method == "spir"
    assert result.condition > 1e7
    error = rnla.lstsq.backward_error(hard, b, result.x, exact=False)
    assert error < 10 * np.finfo(float).eps


def test_rows_without_zeros_go_to_the_sketch(rng):
    A = sparse(20_000, 300, 3, rng)
    full = csr_array(np.vstack([A[:18_000].toarray(), rng.standard_normal((2000, 300))]))
    assert choose_method(A).method.name == "gram"
    assert choose_method(full).method.name == "spir"
