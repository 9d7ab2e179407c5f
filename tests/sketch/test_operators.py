"""What holds for every operator, dtype and layout: it is one matrix, to the last bit."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse
from cases import LAYOUTS, OPERATORS, all_dtypes, all_layouts, all_operators, random_matrix
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator

D, M, N = 37, 5003, 71


def eps(dtype):
    return np.finfo(dtype).eps


@all_operators
@all_dtypes
@pytest.mark.parametrize("sketch_dtype", [np.float32, np.float64])
def test_products_agree_with_the_dense_matrix(operator, dtype, sketch_dtype, rng):
    S = operator(D, 300, rng=rng, dtype=sketch_dtype)
    dense = operator.cls.todense(S).astype(np.float64)
    X, Y = random_matrix(rng, (300, 5), dtype), random_matrix(rng, (D, 5), dtype)
    result = np.result_type(sketch_dtype, dtype)
    tol = 100 * max(eps(result), eps(sketch_dtype))
    for product, expected in [
        (S @ X, dense @ X),
        (S.T @ Y, dense.T @ Y),
        (S.H @ Y, dense.T @ Y),
        (Y.T @ S, Y.T @ dense),
        (X.T @ S.T, X.T @ dense.T),
        (S.matvec(X[:, 0]), dense @ X[:, 0]),
        (S.rmatvec(Y[:, 0]), dense.T @ Y[:, 0]),
    ]:
        assert product.dtype == result
        assert np.linalg.norm(product - expected) <= tol * np.linalg.norm(dense) * 20


@all_operators
@all_dtypes
def test_adjoint_identity(operator, dtype, rng):
    S = operator(D, M, rng=rng, dtype=dtype(0).real.dtype)
    x, y = random_matrix(rng, M, dtype), random_matrix(rng, D, dtype)
    Sx, Sty = S.matvec(x), S.rmatvec(y)
    scale = np.linalg.norm(Sx) * np.linalg.norm(y) + np.linalg.norm(x) * np.linalg.norm(Sty)
    assert abs(np.vdot(y, Sx) - np.vdot(Sty, x)) <= 100 * eps(dtype) * scale


@all_operators
def test_linearity(operator, rng):
    S = operator(D, M, rng=rng)
    X, Y = rng.standard_normal((2, M, 3))
    error = S @ (2.5 * X - Y) - (2.5 * (S @ X) - S @ Y)
    assert np.linalg.norm(error) <= 100 * eps(float) * np.linalg.norm(S @ X)


# One real and one complex type, one of each precision.
@all_operators
@pytest.mark.parametrize("dtype", [np.float64, np.complex64])
@all_layouts
def test_layouts_give_equal_bits(operator, dtype, layout, rng):
    S = operator(D, M, rng=rng)
    X = random_matrix(rng, (M, N), dtype)
    X[rng.random(M) < 0.1] = 0
    np.testing.assert_array_equal(S @ LAYOUTS[layout](X), S @ X)


@all_operators
def test_columns_do_not_matter_to_each_other(operator, rng):
    S = operator(D, M, rng=rng)
    X = rng.standard_normal((M, N))
    whole = S @ X
    np.testing.assert_array_equal(S @ X[:, 3], whole[:, 3])
    np.testing.assert_array_equal(S @ X[:, :5], whole[:, :5])
    np.testing.assert_array_equal(S @ X[:, 10:60], whole[:, 10:60])


@all_operators
@pytest.mark.parametrize("n", [1, 9, 71, 200])
def test_threads_give_equal_bits(operator, n, rng, threads):
    S = operator(D, M, rng=rng)
    X, Y = rng.standard_normal((M, n)), rng.standard_normal((D, n))
    sparse = scipy.sparse.random_array((M, n), density=0.05, rng=rng, format="csr")
    results = []
    for count in (1, 2, 4):
        threads(count)
        results.append((S @ X, S @ np.asfortranarray(X), S @ sparse, S.T @ Y))
    for other in results[1:]:
        for ours, theirs in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@all_operators
@pytest.mark.parametrize("layout", ["C", "F", "csr"])
def test_chunks_give_equal_bits(operator, layout, rng):
    m = 9001
    S = operator(D, m, rng=rng)
    X = rng.standard_normal((m, 20))
    whole = S @ X
    out = np.zeros_like(whole)
    start = 0
    while start < m:
        stop = min(m, start + operator.chunk * (1 if operator.chunk > 1 else 1 + 7 * (start % 97)))
        block = X[start:stop]
        block = LAYOUTS[layout](block) if layout != "C" else block
        assert S.accumulate(block, start, out) is out
        start = stop
    np.testing.assert_array_equal(out, whole)


@all_operators
@given(cuts=st.lists(st.integers(0, 5003), max_size=4), columns=st.integers(1, 12))
def test_any_chunks_agree(operator, cuts, columns):
    S = operator(D, M, rng=5)
    X = np.random.default_rng(columns).standard_normal((M, columns))
    out = np.zeros((D, columns))
    for start, stop in pairwise([0, *sorted(cuts), M]):
        S.accumulate(X[start:stop], start, out)
    whole = S @ X
    if operator.chunk == 1:
        np.testing.assert_array_equal(out, whole)
    assert np.linalg.norm(out - whole) <= 100 * eps(float) * np.linalg.norm(whole)


@all_operators
@given(d=st.integers(1, 40), m=st.integers(1, 300), n=st.integers(0, 70), seed=st.integers(0, 9))
def test_any_shape(operator, d, m, n, seed):
    if operator.name == "SRHT":
        d = min(d, m)
    if operator.name.startswith("SparseSign"):
        d += 8
    S = operator(d, m, rng=seed)
    X = np.random.default_rng(seed).standard_normal((m, n))
    dense = S.todense()
    assert dense.shape == S.shape == (d, m)
    bound = 100 * eps(float) * np.linalg.norm(dense) * np.linalg.norm(X)
    assert (S @ X).shape == (d, n)
    assert np.linalg.norm(S @ X - dense @ X) <= bound
    assert np.linalg.norm(S.T @ (S @ X) - dense.T @ (dense @ X)) <= bound * np.linalg.norm(dense)


@all_operators
def test_is_a_linear_operator(operator, rng):
    S = operator(D, 300, rng=rng)
    dense, x = S.todense(), rng.standard_normal(300)
    assert isinstance(S, LinearOperator)
    assert aslinearoperator(S) is S
    assert S.T.T is S
    assert S.H.H is S
    for composed, expected in [
        (S.T @ S, dense.T @ dense @ x),
        (2 * S + S, 3 * dense @ x),
        (-S, -dense @ x),
        ((S @ S.T) @ S, dense @ dense.T @ dense @ x),
        (S - 0.5 * S, 0.5 * dense @ x),
    ]:
        assert isinstance(composed, LinearOperator)
        np.testing.assert_allclose(composed @ x, expected, rtol=1e-10, atol=1e-10)
    assert "5003" not in repr(S)
    assert f"{D}x300 {operator.cls.__name__}" in repr(S)
    assert "300" in repr(S.T)


@all_operators
def test_pickles_are_small_and_exact(operator, rng):
    S = operator(D, M, rng=rng)
    pickled = pickle.dumps(S)
    assert len(pickled) < 1500
    copy = pickle.loads(pickled)
    X = rng.standard_normal((M, 3))
    assert (type(copy), copy.shape, copy.dtype) == (type(S), S.shape, S.dtype)
    np.testing.assert_array_equal(copy @ X, S @ X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(S.T)).T @ X, S @ X)


@all_operators
def test_equal_seeds_give_equal_operators(operator):
    first, second, other = (operator(D, 100, rng=seed).todense() for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


@all_operators
def test_global_random_state_is_left_alone(operator):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    operator(D, 100) @ np.ones(100)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@all_operators
def test_stacks_of_vectors(operator, rng):
    # SciPy passes them on since 1.18; before, it never gets here.
    S = operator(D, 90, rng=rng)
    x, y = rng.standard_normal((4, 2, 90)), rng.standard_normal((3, D))
    dense = S.todense()
    np.testing.assert_allclose(S._matvec(x), x @ dense.T, atol=1e-12)
    np.testing.assert_allclose(S._rmatvec(y), y @ dense, atol=1e-12)
    np.testing.assert_allclose(S._matvec(x[0, 0][:, None]), dense @ x[0, 0][:, None], atol=1e-12)
    X = rng.standard_normal((4, 90, 3))
    np.testing.assert_allclose(S._matmat(X), dense @ X, atol=1e-12)
    np.testing.assert_allclose(S._rmatmat(dense @ X), dense.T @ (dense @ X), atol=1e-11)


@all_operators
def test_columns_as_matrices(operator, rng):
    S = operator(D, 90, rng=rng)
    x = rng.standard_normal((90, 1))
    assert (S @ x).shape == (D, 1)
    np.testing.assert_array_equal(S @ x, S.matmat(x))
    np.testing.assert_array_equal(S @ scipy.sparse.csr_array(x), S @ x)
    np.testing.assert_array_equal(scipy.sparse.csr_array(x.T) @ S.T, (S @ x).T)
    np.testing.assert_array_equal(scipy.sparse.csc_array(x.T) @ S.T, (S @ x).T)
    np.testing.assert_array_equal(S.T @ scipy.sparse.csr_array(S @ x), S.T @ (S @ x))


@all_operators
def test_no_columns(operator):
    S = operator(D, 90, rng=0)
    assert (S @ np.empty((90, 0))).shape == (D, 0)
    assert (S.T @ np.empty((D, 0))).shape == (90, 0)
    assert (S @ scipy.sparse.csr_array((90, 0))).shape == (D, 0)


@all_operators
@pytest.mark.parametrize("dtype", [np.int8, np.uint64, np.bool_, np.float16])
def test_other_numbers_are_promoted(operator, dtype, rng):
    S = operator(D, 90, rng=0)
    X = rng.integers(0, 2, (90, 4)).astype(dtype)
    np.testing.assert_array_equal(S @ X, S @ X.astype(np.float64))
    if dtype != np.float16:
        np.testing.assert_array_equal(S @ scipy.sparse.csr_array(X), S @ X.astype(np.float64))
    assert (S @ X.tolist()).shape == (D, 4)


@all_operators
def test_memory_mapped_input(operator, rng, tmp_path):
    S = operator(D, M, rng=rng)
    X = rng.standard_normal((M, 12))
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    product = S @ mapped
    assert type(product) is np.ndarray
    np.testing.assert_array_equal(product, S @ X)


@all_operators
def test_duplicate_and_unsorted_sparse_entries(operator, rng):
    S = operator(D, 90, rng=rng)
    rows, columns = rng.integers(0, 90, 500), rng.integers(0, 7, 500)
    X = scipy.sparse.coo_array((rng.standard_normal(500), (rows, columns)), shape=(90, 7))
    np.testing.assert_allclose(S @ X, S @ X.toarray(), atol=1e-12)
    unsorted = scipy.sparse.csr_array(
        (np.array([1.0, 2.0, 3.0]), np.array([4, 0, 4]), np.r_[0, np.full(90, 3)]), shape=(90, 7)
    )
    before = unsorted.indices.copy()
    np.testing.assert_allclose(S @ unsorted, S @ unsorted.toarray(), atol=1e-12)
    np.testing.assert_array_equal(unsorted.indices, before)


@all_operators
def test_sparse_indices_may_be_wide(operator, rng):
    S = operator(D, 90, rng=rng)
    X = scipy.sparse.random_array((90, 7), density=0.3, rng=rng, format="csr")
    wide = X.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    np.testing.assert_array_equal(S @ wide, S @ X)


@pytest.mark.parametrize(
    "operator",
    [operator for operator in OPERATORS if hasattr(operator.cls, "tosparse")],
    ids=lambda operator: operator.name,
)
def test_tosparse(operator, rng):
    S = operator(D, 300, rng=rng, dtype=np.float32)
    sparse = S.tosparse()
    assert sparse.dtype == np.float32
    np.testing.assert_array_equal(sparse.toarray(), S.todense())
