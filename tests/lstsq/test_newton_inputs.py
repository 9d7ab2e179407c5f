"""Layouts, precisions and bad arguments of Newton's method with sketches."""

import inspect

import numpy as np
import pytest
import scipy.sparse
from newton_cases import (
    METHODS,
    Model,
    assert_optimal,
    small_logistic,
)
from scipy.special import expit

import rnla
from rnla.lstsq import newton_sketch


def test_equal_seeds_give_equal_bits(rng):
    model = small_logistic(rng)
    first, same = (model.solve(rng=7) for _ in range(2))
    np.testing.assert_array_equal(first.x, same.x)
    np.testing.assert_array_equal(first.history, same.history)
    other = model.solve(rng=8)
    assert not np.array_equal(first.history, other.history)
    np.testing.assert_allclose(first.x, other.x, rtol=1e-12)


@pytest.mark.parametrize("layout", [scipy.sparse.csr_array, scipy.sparse.csc_matrix, "coo", "F"])
@pytest.mark.parametrize("method", METHODS)
def test_layouts(layout, method, rng):
    A = scipy.sparse.random_array((2000, 15), density=0.2, rng=rng, format="csr")
    A.data -= 0.5
    y = (rng.random(2000) < expit(A @ np.full(15, 2.0))).astype(float)
    dense = Model(A.toarray(), y, np.ones(15))
    if layout == "F":
        given = Model(np.asfortranarray(A.toarray()), y, np.ones(15))
    elif layout == "coo":
        given = Model(scipy.sparse.coo_array(A), y, np.ones(15))
    else:
        given = Model(layout(A), y, np.ones(15))
    result = given.solve(method=method, rng=0)
    assert result.success
    assert_optimal(dense, result.x, dense.newton(np.zeros(15)))


def test_duplicate_entries_of_a_sparse_root_are_summed(rng):
    A = rng.standard_normal((200, 3))
    i, j = np.indices(A.shape)
    halves = np.concatenate([0.5 * A.ravel(), 0.5 * A.ravel()])
    where = (np.tile(i.ravel(), 2), np.tile(j.ravel(), 2))
    root = scipy.sparse.coo_array((halves, where), shape=A.shape)
    seen = []
    H = A.T @ A
    result = newton_sketch(
        lambda x: H @ (x - 1), lambda x: root, np.zeros(3), callback=seen.append, rng=0
    )
    assert result.n_iter <= 4
    assert seen[0].decrement == pytest.approx(0.5 * H.sum(), rel=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_single_precision(method, rng):
    model = small_logistic(rng)
    single = Model(model.A.astype(np.float32), model.y.astype(np.float32), np.float32(0.5))
    seen = []
    result = single.solve(x0=np.zeros(12, np.float32), method=method, callback=seen.append, rng=0)
    assert result.success
    assert result.x.dtype == np.float32
    assert all(state.x.dtype == np.float32 for state in seen)
    best = model.newton(np.zeros(12))
    np.testing.assert_allclose(result.x, best, atol=1e-5)
    assert result.relative_decrement <= 100 * np.finfo(np.float32).eps


def test_fewer_rows_than_columns_with_a_penalty(rng):
    A = rng.standard_normal((20, 50))
    model = Model(A, (rng.random(20) < 0.5).astype(float), np.ones(50))
    result = model.solve(rng=0)
    assert result.success
    assert result.method == "exact"
    assert result.n_sketch == 0
    assert_optimal(model, result.x, model.newton(np.zeros(50)))


@pytest.mark.parametrize("method", METHODS)
def test_a_penalty_without_data(method):
    result = newton_sketch(
        lambda x: -np.ones(3),
        lambda x: np.zeros((90, 3)),
        np.zeros(3),
        damp=[1, 2, 4],
        method=method,
    )
    assert result.success
    np.testing.assert_allclose(result.x, [1, 1 / 4, 1 / 16], rtol=1e-15)


def test_integers_start_in_double_precision_and_nothing_is_changed(rng):
    model = small_logistic(rng)
    start = np.zeros(12, int)
    result = model.solve(x0=start, rng=0)
    assert result.x.dtype == np.float64
    assert result.x.flags.writeable
    np.testing.assert_array_equal(start, 0)


def test_functions_may_reuse_their_arrays(rng):
    model = small_logistic(rng)
    gradient, root = np.empty(12), np.empty_like(model.A)

    def gradient_in_place(x):
        gradient[:] = model.loss_gradient(x)
        return gradient

    def root_in_place(x):
        root[:] = model.hessian_root(x)
        return root

    again = newton_sketch(
        gradient_in_place, root_in_place, np.zeros(12), objective=model.loss, damp=0.5, rng=0
    )
    np.testing.assert_array_equal(again.x, model.solve(rng=0).x)


BAD_OPTIONS = [
    ({"damp": -1.0}, ValueError, r"`damp` must lie in \[0, inf\), got -1.0"),
    ({"damp": np.nan}, ValueError, "`damp`"),
    ({"damp": [0.0, np.inf, 0.0]}, ValueError, "`damp`"),
    ({"damp": np.ones(2)}, ValueError, r"`damp` must be a real number or have shape \(3,\)"),
    ({"damp": "much"}, TypeError, "`damp`"),
    ({"x0": np.zeros((3, 1))}, ValueError, r"`x0` must have shape \(n,\)"),
    ({"x0": []}, ValueError, "`x0`"),
    ({"x0": [0, np.nan, 0]}, ValueError, "`x0` must not contain NaN"),
    ({"x0": np.zeros(3, complex)}, TypeError, "`x0` must be real"),
    ({"gradient": np.ones(3)}, TypeError, "`gradient` must be callable"),
    ({"hessian_root": np.eye(3)}, TypeError, "`hessian_root` must be callable"),
    ({"objective": 1.0}, TypeError, "`objective` must be callable or None"),
    ({"callback": "print"}, TypeError, "`callback` must be callable or None"),
    ({"method": "auto"}, ValueError, "`method` must be 'sketch'"),
    ({"sketch": "dense"}, ValueError, "`sketch` must be one of count_sketch"),
    ({"sketch_size": 2}, ValueError, "`sketch_size` must be at least 3, got 2"),
    ({"sketch_size": 9.0}, TypeError, "`sketch_size` must be an integer"),
    ({"rtol": -1e-3}, ValueError, "`rtol`"),
    ({"rtol": 1.0}, ValueError, "`rtol`"),
    ({"maxiter": -1}, ValueError, "`maxiter` must be at least 0"),
    ({"rng": "seed"}, TypeError, "`rng`"),
    ({"gradient": lambda x: np.ones(4)}, ValueError, r"`gradient\(x\)` must have shape \(3,\)"),
    ({"gradient": lambda x: np.ones((3, 1))}, ValueError, r"`gradient\(x\)` must have shape"),
    ({"gradient": lambda x: np.full(3, np.nan)}, ValueError, r"`gradient\(x\)` must not contain"),
    ({"gradient": lambda x: 1j * x}, TypeError, r"`gradient\(x\)` must be real"),
    ({"hessian_root": lambda x: np.ones((9, 4))}, ValueError, r"`hessian_root\(x\)` must have"),
    ({"hessian_root": lambda x: np.ones(3)}, ValueError, r"`hessian_root\(x\)` must have shape"),
    ({"hessian_root": lambda x: np.full((9, 3), np.inf)}, ValueError, r"`hessian_root\(x\)`"),
    ({"hessian_root": lambda x: np.full((9, 3), 1e200)}, ValueError, "squares are finite"),
    ({"hessian_root": lambda x: np.eye(3) * 1j}, TypeError, r"`hessian_root\(x\)` must be real"),
    ({"hessian_root": lambda x: "no"}, TypeError, r"`hessian_root\(x\)`"),
    ({"objective": lambda x: np.nan}, ValueError, r"`objective\(x0\)` must be finite"),
    ({"objective": lambda x: x}, ValueError, r"`objective\(x\)` must be one real number"),
    ({"objective": lambda x: 1j}, ValueError, r"`objective\(x\)` must be one real number"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD_OPTIONS)
def test_bad_input_is_named(options, error, message):
    arguments = {
        "gradient": lambda x: x - 1,
        "hessian_root": lambda x: np.eye(3),
        "x0": np.zeros(3),
        "objective": lambda x: 0.5 * np.sum((x - 1) ** 2),
    }
    newton_sketch(**arguments)
    with pytest.raises(error, match=message):
        newton_sketch(**(arguments | options))


def test_nan_from_a_later_call_is_named(rng):
    model = small_logistic(rng)

    def broken(x):
        root = model.hessian_root(x)
        return root if not x.any() else np.full_like(root, np.nan)

    with pytest.raises(ValueError, match=r"`hessian_root\(x\)` must not contain NaN"):
        newton_sketch(model.loss_gradient, broken, np.zeros(12), objective=model.loss, damp=0.5)


def test_errors_of_the_callables_pass_through(rng):
    def fail(x):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        newton_sketch(fail, lambda x: np.eye(2), np.zeros(2))


def test_signature():
    parameters = inspect.signature(rnla.lstsq.newton_sketch).parameters
    assert list(parameters)[:3] == ["gradient", "hessian_root", "x0"]
    assert {n: p.default for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY} == {
        "objective": None,
        "damp": 0.0,
        "method": "sketch",
        "sketch": "sparse_sign",
        "sketch_size": None,
        "rtol": None,
        "maxiter": None,
        "callback": None,
        "rng": None,
    }
