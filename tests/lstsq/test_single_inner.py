"""Products with a copy of A in single precision: the same accuracy, or they are not used."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, Randsvd, assert_backward_stable, errors_of, gaussian, refined

from rnla import lstsq_refine
from rnla.linalg.normal import SingleNormal
from rnla.lstsq import SPIR, _solve, backward_error
from rnla.testing import lstsq_problem

MIXED = SPIR(inner_dtype="auto", sketch_size=200)
DOUBLE = SPIR(sketch_size=200)


@pytest.fixture
def copies(monkeypatch):
    """How often a copy was made."""
    made = []

    def counted(*arguments):
        made.append(arguments)
        return SingleNormal(*arguments)

    monkeypatch.setattr(_solve, "SingleNormal", counted)
    return made


@pytest.mark.parametrize("residual", [1e-12, 1e-3, 1e3])
@pytest.mark.parametrize("condition", [1.0, 1e2, 3e3, 1e5, 1e12])
def test_the_law_holds(condition, residual, copies):
    case = Randsvd(condition, residual)
    assert_backward_stable(errors_of(refined(method=MIXED), case, seeds=range(5)))
    assert len(copies) == (5 if condition < 1e4 else 0)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("options", [{}, {"damp": 0.4}, {"weights": np.linspace(0, 2, 900)}])
def test_inputs(options, dtype, order, copies, rng):
    A = np.asarray(gaussian(900, 20, rng, dtype) * 2.0 ** rng.integers(-900, 900, 20), order=order)
    if "damp" in options:
        A /= 2.0 ** np.frexp(np.abs(A).max(axis=0))[1]
    B = gaussian(900, 3, rng, dtype)
    ours = lstsq_refine(A, B, method=MIXED, rng=0, **options)
    same = lstsq_refine(A, B, method=DOUBLE, rng=0, **options)
    assert len(copies) == 1
    assert ours.success
    size = np.abs(same.x).max(axis=1, keepdims=True)
    np.testing.assert_allclose(ours.x / size, same.x / size, atol=1e-12)


@pytest.mark.parametrize("form", [np.float32, scipy.sparse.csr_array])
def test_where_there_is_nothing_to_gain_it_is_off(form, copies, rng):
    A, b = gaussian(900, 20, rng), rng.standard_normal(900)
    A = form(A)
    ours, same = (lstsq_refine(A, b, method=method, rng=0) for method in (MIXED, DOUBLE))
    assert not copies
    np.testing.assert_array_equal(ours.x, same.x)


def test_it_takes_about_as_many_steps(copies):
    A, b, _ = lstsq_problem(3000, 50, condition=1e2, residual=1e-3, rng=0)
    ours, same = (lstsq_refine(A, b, method=method, rng=0) for method in (MIXED, DOUBLE))
    assert len(copies) == 1
    assert ours.n_iter <= same.n_iter + 8
    assert not np.array_equal(ours.x, same.x)
    assert backward_error(A, b, ours.x) <= 2 * EPS


def test_the_copy_alone_would_not_do(rng):
    """Negative control: were the residual formed with the copy, the error would stay at 1e-8."""
    A, b, _ = lstsq_problem(900, 20, condition=10, residual=1e-3, rng=rng)
    rounded = lstsq_refine(A.astype(np.float32).astype(float), b, method=DOUBLE, rng=0).x
    assert backward_error(A, b, rounded) > 1e5 * EPS
    assert backward_error(A, b, lstsq_refine(A, b, method=MIXED, rng=0).x) <= 2 * EPS


def test_bad_option():
    with pytest.raises(ValueError, match="`inner_dtype` must be one of"):
        SPIR(inner_dtype="float16")
