"""Chebyshev polynomials of sparse matrices: products of all threads, in order."""

import threading
import time

import numpy as np
import pytest
import scipy.sparse

import rnla
from rnla._core import threads
from rnla._core.threads import run_parts
from rnla._kernels import spmm
from rnla.linalg import chebyshev
from rnla.linalg.chebyshev import chebyshev_csr


def polynomial(matrices, X, degree, center, radius):
    """In extended precision."""
    wide = np.clongdouble if X.dtype.kind == "c" else np.longdouble
    A = np.eye(len(X), dtype=wide)
    for each in matrices:
        A = each.toarray().astype(wide) @ A
    A = (A - center * np.eye(len(X))) / radius
    before, now = X.astype(wide), A @ X.astype(wide)
    for _ in range(degree - 1):
        before, now = now, 2 * A @ now - before
    return now


def factors(n, count, rng, dtype=np.float64, rows=None):
    """One square matrix, or two whose product is, both with rows that are empty and long ones."""
    shapes = [(n, n)] if count == 1 else [(rows or n + 7, n), (n, rows or n + 7)]
    made = []
    for shape in shapes:
        A = scipy.sparse.random_array(shape, density=0.05, rng=rng, format="lil", dtype=np.float64)
        A[shape[0] // 3, :] = rng.standard_normal(shape[1])
        A[:3] = 0
        A = scipy.sparse.csr_array(A)
        if np.dtype(dtype).kind == "c":
            A = A * (1 + 0.5j)
        made.append((A / np.linalg.norm(A.toarray(), 2)).astype(dtype).tocsr())
    return made


@pytest.fixture
def shared_out(monkeypatch):
    """As much work as to pay for threads, which give way at once."""
    monkeypatch.setattr(chebyshev, "_INLINE", 0)
    monkeypatch.setattr(threads, "LOOKS", 3)
    monkeypatch.setattr(threads, "_PAUSE", 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("degree", [1, 2, 3, 7])
def test_the_polynomial(dtype, count, degree, rng):
    matrices = factors(90, count, rng, dtype)
    for width in (1, 2, 3, 5, 8, 16, 31):
        X = rng.standard_normal((90, width)).astype(dtype)
        expected = polynomial(matrices, X, degree, 0.3, 0.8)
        for order in "CF":
            Y = chebyshev_csr(matrices, np.array(X, order=order), degree, 0.3, 0.8)
            assert Y.dtype == dtype
            assert Y.flags.c_contiguous
            error = np.abs(Y - expected).max() / np.abs(expected).max()
            assert error < 40 * degree * np.finfo(dtype).eps


def test_complex_columns_of_a_real_matrix(rng):
    for count in (1, 2):
        matrices = factors(60, count, rng)
        X = rng.standard_normal((60, 3)) + 1j * rng.standard_normal((60, 3))
        Y = chebyshev_csr(matrices, X, 5, 0.1, 0.9)
        expected = polynomial(matrices, X, 5, 0.1, 0.9)
        assert np.abs(Y - expected).max() < 1e-13 * np.abs(expected).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.usefixtures("shared_out")
def test_threads_wait_for_the_product_before(count, dtype, rng):
    """Thirty products in many small parts: whoever is ahead would read what is not there yet."""
    matrices = factors(700, count, rng, dtype)
    X = rng.standard_normal((700, 6)).astype(dtype)
    one_by_one = chebyshev._one_by_one(matrices, X, 30, 0.2, 1.1)
    for number in (1, 2, 3, 8):
        with rnla.limit_threads(number):
            for _ in range(20):
                np.testing.assert_array_equal(chebyshev_csr(matrices, X, 30, 0.2, 1.1), one_by_one)


@pytest.mark.usefixtures("shared_out")
def test_a_helper_that_comes_late_or_stops_does_not_matter(monkeypatch, rng):
    matrices = factors(300, 1, rng)
    X = rng.standard_normal((300, 4))
    expected = chebyshev._one_by_one(matrices, X, 9, 0.0, 1.0)
    caller = threading.get_ident()

    class Slow:
        DONE = spmm.DONE

        @staticmethod
        def chebyshev_turns(*arguments):
            if threading.get_ident() != caller:
                time.sleep(0.02)
            return spmm.chebyshev_turns(*arguments)

    monkeypatch.setattr(chebyshev, "spmm", Slow)
    with rnla.limit_threads(4):
        np.testing.assert_array_equal(chebyshev_csr(matrices, X, 9, 0.0, 1.0), expected)


@pytest.mark.usefixtures("shared_out")
def test_on_threads_of_the_pool_and_of_the_caller(rng):
    matrices = factors(300, 2, rng)
    X = rng.standard_normal((300, 4))
    expected = chebyshev._one_by_one(matrices, X, 9, 0.0, 1.0)
    found = []

    def task(_):
        found.append(chebyshev_csr(matrices, X, 9, 0.0, 1.0))

    with rnla.limit_threads(3):
        run_parts(task, [(i,) for i in range(6)])
        callers = [threading.Thread(target=task, args=(i,)) for i in range(6)]
        for each in callers:
            each.start()
        for each in callers:
            each.join()
    assert len(found) == 12
    for each in found:
        np.testing.assert_array_equal(each, expected)


def test_a_part_that_is_not_done_keeps_all_others_waiting(rng):
    """What the counters say is obeyed: nothing is taken from a product that is not complete."""
    (A,) = factors(50, 1, rng)
    blocks = np.zeros((3, 50))
    blocks[0] = rng.standard_normal(50)
    before = blocks.copy()
    cuts = np.array([0, 25, 50])
    counters = np.zeros(2 * spmm.DONE, np.int64)
    counters[0] = 2  # Both parts of the first product are taken, by somebody who never returns.
    csr = (A.indptr, A.indices, A.data)
    arguments = ((csr, csr), (cuts, cuts), 64, blocks, np.empty(0), 1, 5, (1.0, 2.0, 0.0))
    assert not spmm.chebyshev_turns(*arguments, counters, 100)
    np.testing.assert_array_equal(blocks, before)
    assert counters[0] == 2
    counters[:] = 0
    counters[0], counters[spmm.DONE] = 10, 9  # The last part is taken, and the result not there.
    assert not spmm.chebyshev_turns(*arguments, counters, 100)
    counters[:] = 0
    assert spmm.chebyshev_turns(*arguments, counters, 100)
    assert counters[0] == counters[spmm.DONE] == 10
    expected = polynomial([A], before[0][:, None], 5, 0.0, 1.0)[:, 0]
    np.testing.assert_allclose(blocks[2], expected.astype(float), rtol=0, atol=1e-13)


def test_empty_and_small(rng):
    zero = scipy.sparse.csr_array((4, 4))
    X = rng.standard_normal((4, 2))
    np.testing.assert_array_equal(chebyshev_csr([zero], X, 2, 0.0, 1.0), -X)
    assert chebyshev_csr([zero], X[:, :0], 2, 0.0, 1.0).shape == (4, 0)
    A = scipy.sparse.csr_array(np.array([[0.5]]))
    assert chebyshev_csr([A], np.ones((1, 1)), 3, 0.0, 1.0) == 4 * 0.125 - 3 * 0.5


@pytest.mark.parametrize(
    ("X", "degree"),
    [(np.ones((9, 2)), 3), (np.ones((8, 2), np.float32), 3), (np.ones((8, 2)), 0)],
)
def test_what_does_not_fit(X, degree, rng):
    for count in (1, 2):
        with pytest.raises(ValueError, match=r"8 rows and dtype float64 and a positive degree"):
            chebyshev_csr(factors(8, count, rng), X, degree, 0.0, 1.0)
    wide = scipy.sparse.csr_array(np.ones((8, 9)))
    with pytest.raises(ValueError, match="needed"):
        chebyshev_csr([wide], np.ones((9, 2)), 3, 0.0, 1.0)
    with pytest.raises(ValueError, match="needed"):
        chebyshev_csr([wide.T.tocsr(), wide.T.tocsr()], np.ones((8, 2)), 3, 0.0, 1.0)
