"""Every bad argument gets one sentence that names it."""

import numpy as np
import pytest
import scipy.sparse
from cases import all_operators

from rnla import sketch
from rnla.sketch import RowSampling

KEY = np.array([1, 2], np.uint64)
BAD = np.array([1, -2])
ONES = np.ones(4)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        ("SparseSign.draw(0, 4)", ValueError, "`d` must be"),
        ("SparseSign.draw(1 << 30, 4)", ValueError, "`d` must be"),
        ("SparseSign.draw(2.0, 4)", TypeError, "`d` must be an integer"),
        ("SparseSign.draw(True, 4)", TypeError, "`d` must be an integer"),
        ("SparseSign.draw(8, 0)", ValueError, "`m` must be"),
        ("SparseSign.draw(8, -1)", ValueError, "`m` must be"),
        ('SparseSign.draw(8, "4")', TypeError, "`m` must be an integer"),
        ("SparseSign.draw(8, 4, zeta=0)", ValueError, "`zeta` must be in 1..8"),
        ("SparseSign.draw(8, 4, zeta=9)", ValueError, "`zeta` must be in 1..8"),
        ("SparseSign.draw(3, 4)", ValueError, "`zeta` must be in 1..3"),
        ("SparseSign.draw(8, 4, dtype=int)", TypeError, "`dtype` must be"),
        ("SparseSign.draw(8, 4, dtype=complex)", TypeError, "`dtype` must be"),
        ("SparseSign.draw(8, 4, dtype=object)", TypeError, "`dtype` must be"),
        ("SparseSign.draw(8, 4, rng=-1)", ValueError, "`rng` must be"),
        ('SparseSign.draw(8, 4, rng="seed")', TypeError, "`rng` must be"),
        ("SparseSign.draw(8, 4, rng=np.random)", TypeError, "`rng` must be"),
        ("SparseSign(8, 4, BAD)", ValueError, "`key` must hold"),
        ("Gaussian(8, 4, KEY[:1], float)", ValueError, "`key` must hold"),
        ("CountSketch(8, 4, KEY << np.uint64(32))", ValueError, "`key` must hold"),
        ("CountSketch(8, 4, [0.5, 1.0])", ValueError, "`key` must hold"),
        ("SRHT.draw(9, 5)", ValueError, "`d` must be at most 8"),
        ("SRHT.draw(2, 1)", ValueError, "`d` must be at most 1"),
        ("RowSampling.draw(0, 4)", ValueError, "`d` must be"),
        ("RowSampling(2, 4, [0], [1.0])", ValueError, "`rows` must hold"),
        ("RowSampling(2, 4, [0.0, 1.0], [1.0, 1.0])", ValueError, "`rows` must hold"),
        ("RowSampling(2, 4, [0, 4], [1.0, 1.0])", ValueError, "`rows` must lie"),
        ("RowSampling(2, 4, [-1, 3], [1.0, 1.0])", ValueError, "`rows` must lie"),
        ("RowSampling(2, 4, [0, 1], [1.0])", ValueError, "`weights` must hold"),
        ("RowSampling(2, 4, [0, 1], [1.0, np.nan])", ValueError, "`weights` must hold"),
        ("RowSampling.draw(2, 4, probabilities=ONES[:3])", ValueError, "must have shape"),
        ("RowSampling.draw(2, 4, probabilities=-ONES)", ValueError, "non-negative"),
        ("RowSampling.draw(2, 4, probabilities=0 * ONES)", ValueError, "not all zero"),
        ("RowSampling.draw(2, 4, probabilities=ONES * np.nan)", ValueError, "finite"),
        ("RowSampling.draw(2, 4, probabilities=ONES * np.inf)", ValueError, "finite"),
        ("RowSampling.draw(2, 4, probabilities=1j * ONES)", TypeError, "real numbers"),
        ('RowSampling.draw(2, 4, probabilities=["a"] * 4)', TypeError, "real numbers"),
        ("RowSampling.from_matrix(np.zeros((5, 2)), 3)", ValueError, "must not be zero"),
        ('RowSampling.from_matrix(np.zeros((5, 2)), 3, by="norms")', ValueError, "zero"),
        ("RowSampling.from_matrix(np.ones((2, 5)), 3)", ValueError, "as many rows"),
        ('RowSampling.from_matrix(np.ones((5, 2)), 3, by="x")', ValueError, "`by` must"),
        ("RowSampling.from_matrix(np.ones(5), 3)", ValueError, "`A` must be a matrix"),
        ("leverage_scores(np.full((9, 1), np.nan))", ValueError, "`A` must not contain"),
        ('leverage_scores(np.ones((9, 2)), method="x")', ValueError, "`method` must be"),
        ("leverage_scores(np.ones((9, 2), object))", TypeError, "`A` must hold numbers"),
    ],
)
def test_constructors(call, error, match):
    with pytest.raises(error, match=match):
        eval(call, vars(sketch) | {"np": np, "KEY": KEY, "BAD": BAD, "ONES": ONES})


@all_operators
@pytest.mark.parametrize(
    "X",
    [
        np.ones(89),
        np.ones((89, 2)),
        np.ones((2, 91)),
        np.float64(3.0),
        np.ones((0, 3)),
        scipy.sparse.csr_array((89, 2)),
        scipy.sparse.csr_array((2, 90)),
    ],
    ids=lambda X: f"{type(X).__name__}{X.shape}",
)
def test_wrong_shapes(operator, X):
    S = operator(37, 90, rng=0)
    with pytest.raises(ValueError, match=r".+"):
        S.matmat(X)
    with pytest.raises(ValueError, match=r".+"):
        S.matvec(X)
    with pytest.raises(ValueError, match=r".+"):
        S.T.rmatmat(X)
    with pytest.raises(ValueError, match=r".+"):
        S.rmatmat(X)


@all_operators
@pytest.mark.parametrize("dtype", [object, "U3", np.longdouble, "M8[s]"])
def test_wrong_dtypes(operator, dtype):
    S = operator(37, 90, rng=0)
    X = np.zeros((90, 2), dtype)
    with pytest.raises(TypeError, match="`X` must hold numbers"):
        S @ X
    with pytest.raises(TypeError, match="`Y` must hold numbers"):
        S.T @ np.zeros((37, 2), dtype)
    with pytest.raises(TypeError, match="`block` must hold numbers"):
        S.accumulate(X, 0, np.zeros((37, 2)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, complex(0, np.nan)])
@pytest.mark.parametrize("n", [1, 6, 70])
@all_operators
def test_not_finite(operator, n, bad, rng):
    S = operator(37, 90, rng=rng)
    X = rng.standard_normal((90, n)).astype(complex if isinstance(bad, complex) else float)
    row = S.rows[0] if operator.cls is RowSampling else 41
    X[row, n // 2] = bad
    for operand in (X, np.asfortranarray(X), X[::-1][::-1], scipy.sparse.csr_array(X)):
        with pytest.raises(ValueError, match="`X` must not contain NaN or infinity"):
            S @ operand
        for out in (np.zeros((37, n), X.dtype), np.full((37, n), np.inf, X.dtype)):
            with pytest.raises(ValueError, match="`block` must not contain NaN or infinity"):
                S.accumulate(operand, 0, out)
    if n == 1:
        with pytest.raises(ValueError, match="`X` must not contain NaN or infinity"):
            S.matvec(X[:, 0])
    with pytest.raises(ValueError, match="`Y` must not contain NaN or infinity"):
        S.T @ X[row - 36 : row + 1] if row >= 36 else S.T @ X[row : row + 37]


@all_operators
def test_overflow_is_not_blamed_on_the_input(operator, rng):
    S = operator(37, 90, rng=rng, dtype=np.float32)
    X = np.full((90, 70), np.finfo(np.float32).max)
    X[::2] *= -1
    product = S @ X
    assert product.dtype == np.float32
    S.T @ np.full((37, 2), np.finfo(np.float32).max)
    # An overflow in an earlier chunk is not blamed on a later one either.
    S.accumulate(X, 0, np.full((37, 70), np.inf, np.float32))
    S.accumulate(X[:3], 0, np.full((37, 70), np.inf, np.float32))


def test_rows_that_are_not_sampled_are_not_read():
    S = RowSampling(2, 5, [1, 3], [1.0, 1.0])
    X = np.full((5, 2), np.nan)
    X[[1, 3]] = 1.0
    np.testing.assert_array_equal(S @ X, np.ones((2, 2)))
    np.testing.assert_array_equal(S.accumulate(X[:1], 0, np.zeros((2, 2))), 0.0)


@all_operators
def test_accumulate_arguments(operator):
    S = operator(37, 90, rng=0)
    block, out = np.ones((10, 3)), np.zeros((37, 3))
    frozen = np.zeros((37, 3))
    frozen.flags.writeable = False
    for call, match in [
        (lambda: S.accumulate(block, 81, out), "ends at row 91"),
        (lambda: S.accumulate(block, -1, out), "`start` must be at least 0"),
        (lambda: S.accumulate(block[:, 0], 0, out), "`block` must have two axes"),
        (lambda: S.accumulate(block, 0, out[:, :2]), "`out` must be an array of shape"),
        (lambda: S.accumulate(block, 0, out.tolist()), "`out` must be an array of shape"),
        (lambda: S.accumulate(block, 0, np.asfortranarray(out)), "`out` must be C-ordered"),
        (lambda: S.accumulate(block, 0, out.astype(np.float32)), "of dtype float64"),
        (lambda: S.accumulate(block + 0j, 0, out), "of dtype complex128"),
        (lambda: S.accumulate(block, 0, frozen), "writable"),
    ]:
        with pytest.raises(ValueError, match=match):
            call()
    S.accumulate(block[:0], 0, out)
    S.accumulate(block[:0], 90, out)
    assert not out.any()
