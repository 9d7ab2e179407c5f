"""Numbers near the ends of the range: squares of norms overflow long before the data do."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import aslinearoperator

from rnla import lstsq_refine
from rnla.lstsq import backward_error
from rnla.testing import lstsq_problem

FORMS = [np.asarray, np.asfortranarray, scipy.sparse.csr_array, aslinearoperator]
METHODS = ["auto", "spir", "gram", "lapack"]
# Powers of two, so that scaling itself rounds nothing: about 1e-200, 1e-160, ... 1e250.
EXPONENTS = [-660, -530, -270, 270, 530, 660]


def refine(A, b, method, exponent=0):
    """Solve; the Gram matrix may be out of range, which is said without a warning of NumPy."""
    try:
        return lstsq_refine(A, b, method=method, rng=0)
    except ValueError as error:
        if method != "gram" or abs(exponent) < 500 or "use method='spir'" not in str(error):
            raise
        pytest.skip("A^T A is out of range")


def assert_scales(A, b, x, a, c, result):
    """The problem with A times 2**a and b times 2**c has the solution x times 2**(c - a)."""
    assert result.success
    np.testing.assert_allclose(np.ldexp(result.x.real, a - c), x.real, atol=1e-9)
    assert result.residual_norm == pytest.approx(np.ldexp(np.linalg.norm(b - A @ x), c), rel=1e-9)
    scaled = np.ldexp(result.x, a - c)
    assert backward_error(A, b, scaled, exact=True) <= 10 * EPS
    assert 0 < result.backward_error <= 2 * EPS


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_scaling_the_matrix(exponent, form, method, rng):
    A, b, x = lstsq_problem(600, 12, condition=1e3, residual=0.1, rng=rng)
    result = refine(form(np.ldexp(A, exponent)), b, method, exponent)
    assert_scales(A, b, x, exponent, 0, result)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("exponent", [-830, *EXPONENTS, 830])
def test_scaling_the_right_hand_side(exponent, form, method, rng):
    A, b, x = lstsq_problem(600, 12, condition=1e3, residual=0.1, rng=rng)
    result = lstsq_refine(form(A), np.ldexp(b, exponent), method=method, rng=0)
    assert_scales(A, b, x, 0, exponent, result)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("exponent", [-830, -660, 660, 830])
def test_scaling_both(exponent, method, rng):
    A, b, x = lstsq_problem(600, 12, condition=1e3, residual=0.1, rng=rng)
    result = refine(np.ldexp(A, exponent), np.ldexp(b, exponent), method, exponent)
    assert_scales(A, b, x, exponent, exponent, result)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("exponent", [-120, -70, 70, 120])
def test_single_precision_has_a_shorter_range(exponent, method, rng):
    A, b, _ = lstsq_problem(600, 12, condition=1e2, residual=0.1, rng=rng, dtype=np.float32)
    scaled = np.ldexp(A, np.int32(exponent))
    result = lstsq_refine(scaled, np.ldexp(b, np.int32(exponent)), method=method, rng=0)
    assert result.success
    assert result.x.dtype == np.float32
    assert backward_error(A, b, result.x) <= 10 * np.finfo(np.float32).eps


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("exponent", [-660, 660])
def test_complex(exponent, method, rng):
    A, b, x = lstsq_problem(600, 12, condition=1e3, residual=0.1, rng=rng, dtype=np.complex128)
    for a, c in ((exponent, 0), (0, exponent), (exponent, exponent)):
        result = refine(A * 2.0**a, b * 2.0**c, method, a)
        assert result.success
        np.testing.assert_allclose(result.x * 2.0 ** (a - c), x, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("exponent", [-660, 660])
def test_several_columns(exponent, method, rng):
    A, b, _ = lstsq_problem(600, 12, condition=1e3, residual=0.1, rng=rng)
    B = np.column_stack([b, gaussian(600, 1, rng)[:, 0]])
    expected = np.linalg.lstsq(A, B)[0]
    B[:, 1] = np.ldexp(B[:, 1], exponent)
    result = lstsq_refine(A, B, method=method, rng=0)
    assert result.success
    np.testing.assert_allclose(result.x[:, 0], expected[:, 0], atol=1e-9)
    np.testing.assert_allclose(np.ldexp(result.x[:, 1], -exponent), expected[:, 1], atol=1e-9)


@pytest.mark.parametrize("method", ["auto", "lapack"])
@pytest.mark.parametrize("exponent", [-660, 660])
def test_wide(exponent, method, rng):
    A, b = rng.standard_normal((8, 20)), rng.standard_normal(8)
    expected = np.linalg.lstsq(A, b)[0]
    for a, c in ((exponent, 0), (0, exponent)):
        result = lstsq_refine(np.ldexp(A, a), np.ldexp(b, c), method=method)
        np.testing.assert_allclose(np.ldexp(result.x, a - c), expected, atol=1e-12)
        assert result.rank == 8


@pytest.mark.parametrize("method", ["auto", "spir", "lapack"])
def test_columns_from_one_end_to_the_other(method, rng):
    A, b, x = lstsq_problem(600, 12, condition=10, residual=0.1, rng=rng)
    exponents = np.linspace(-300, 300, 12).astype(int)
    result = lstsq_refine(np.ldexp(A, exponents), b, method=method, rng=0)
    assert result.rank == 12
    np.testing.assert_allclose(np.ldexp(result.x, exponents), x, atol=1e-10)


def test_large_finite_sums_are_not_taken_for_infinity(rng):
    # The sum of the entries overflows, no entry does.
    A = rng.standard_normal((2000, 3)) + 3
    b = rng.standard_normal(2000)
    expected = np.linalg.lstsq(A, b)[0]
    for method in ("auto", "spir", "lapack"):
        result = lstsq_refine(np.ldexp(A, 1015), np.ldexp(b, 1015), method=method, rng=0)
        np.testing.assert_allclose(result.x, expected, atol=1e-12)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("exponent", [-660, -530, 530, 660])
def test_backward_error(exponent, exact, rng):
    A, b = gaussian(60, 5, rng), gaussian(60, 1, rng)[:, 0]
    x = rng.standard_normal(5)
    value = backward_error(A, b, x, exact=exact)
    for a, c in ((exponent, 0), (0, exponent), (exponent, exponent)):
        scaled = backward_error(np.ldexp(A, a), np.ldexp(b, c), np.ldexp(x, c - a), exact=exact)
        assert scaled == pytest.approx(value, rel=1e-8)
