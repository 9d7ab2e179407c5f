"""Every option does what it says, and every bad value is named."""

import dataclasses
import pickle

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import rnla
from rnla import ConvergenceWarning, Status, lstsq_refine
from rnla.lstsq import LAPACK, SPIR, SPNE, Gram, backward_error, choose_method
from rnla.sketch import SKETCHES, SparseSign
from rnla.testing import haar, lstsq_problem


@pytest.fixture
def problem(rng):
    A, b, _ = lstsq_problem(600, 15, condition=1e3, residual=0.1, rng=rng)
    return A, b


UNFIT = [
    ({"sketch": SparseSign.draw(60, 601, rng=0)}, ValueError, "`sketch`"),
    ({"sketch": SparseSign.draw(14, 600, rng=0)}, ValueError, "`sketch`"),
    ({"sketch_size": 14}, ValueError, "`sketch_size`.*15..600"),
    ({"sketch_size": 601}, ValueError, "`sketch_size`.*15..600"),
]
BAD = [
    *UNFIT,
    ({"method": "qr"}, ValueError, "`method`"),
    ({"method": None}, (TypeError, ValueError), "`method`"),
    ({"method": SPIR}, (TypeError, ValueError), "`method`"),
    ({"method": 3}, (TypeError, ValueError), "`method`"),
    ({"method": np.array(["spir", "gram"])}, (TypeError, ValueError), "`method`"),
    ({"sketch": "fourier"}, ValueError, "`sketch`"),
    ({"sketch": None}, (TypeError, ValueError), "`sketch`"),
    ({"sketch": SparseSign}, (TypeError, ValueError), "`sketch`"),
    ({"sketch": ["srht"]}, (TypeError, ValueError), "`sketch`"),
    ({"sketch": np.ones((60, 600))}, (TypeError, ValueError), "`sketch`"),
    ({"sketch": SparseSign.draw(60, 600, rng=0), "sketch_size": 60}, ValueError, "`sketch_size`"),
    ({"sketch_size": 0}, ValueError, "`sketch_size`"),
    ({"sketch_size": -3}, ValueError, "`sketch_size`"),
    ({"sketch_size": 60.0}, TypeError, "`sketch_size`"),
    ({"sketch_size": True}, TypeError, "`sketch_size`"),
    ({"sketch_size": "60"}, TypeError, "`sketch_size`"),
    ({"rcond": -1e-3}, ValueError, "`rcond`"),
    ({"rcond": 1.0}, ValueError, "`rcond`"),
    ({"rcond": np.nan}, ValueError, "`rcond`"),
    ({"rcond": "small"}, TypeError, "`rcond`"),
    ({"rcond": True}, TypeError, "`rcond`"),
    ({"rcond": 1j}, TypeError, "`rcond`"),
    ({"rtol": -1e-3}, ValueError, "`rtol`"),
    ({"rtol": 1.0}, ValueError, "`rtol`"),
    ({"rtol": np.nan}, ValueError, "`rtol`"),
    ({"rtol": np.inf}, ValueError, "`rtol`"),
    ({"rtol": [1e-3]}, TypeError, "`rtol`"),
    ({"rtol": "1e-3"}, TypeError, "`rtol`"),
    ({"maxiter": -1}, ValueError, "`maxiter`"),
    ({"maxiter": 1.5}, TypeError, "`maxiter`"),
    ({"maxiter": False}, TypeError, "`maxiter`"),
    ({"maxiter": "many"}, TypeError, "`maxiter`"),
    ({"callback": 3}, TypeError, "`callback`"),
    ({"callback": "print"}, TypeError, "`callback`"),
    ({"rng": -1}, ValueError, "`rng`"),
    ({"rng": "seed"}, TypeError, "`rng`"),
    ({"rng": 1.5}, TypeError, "`rng`"),
    ({"rng": np.random.RandomState(0)}, TypeError, "`rng`"),
    ({"rng": np.random}, TypeError, "`rng`"),
]


def label(value):
    if isinstance(value, dict):
        return "-".join(f"{k}={str(v).splitlines()[0][:40]}" for k, v in value.items())
    return None


@pytest.mark.parametrize(("options", "error", "name"), BAD, ids=label)
def test_bad_options_are_named(options, error, name, problem):
    with pytest.raises(error, match=name):
        lstsq_refine(*problem, **{"method": "spir", **options})


@pytest.mark.parametrize("method", ["auto", "gram", "lapack"])
@pytest.mark.parametrize(
    ("options", "error", "name"),
    [bad for bad in BAD if not {"method", "rng"} & set(bad[0]) and bad not in UNFIT],
    ids=label,
)
def test_bad_options_are_named_by_every_method(options, error, name, method, problem):
    # An option that the method has no use for is checked all the same, but for its fit to A.
    with pytest.raises(error, match=name):
        lstsq_refine(*problem, **{"method": method, **options})


def test_unknown_and_positional_options_are_refused(problem):
    with pytest.raises(TypeError):
        lstsq_refine(*problem, tol=1e-3)
    with pytest.raises(TypeError):
        lstsq_refine(*problem, None)


def test_method_objects_do_not_swallow_contradicting_options(problem):
    for options in ({"sketch": "count_sketch"}, {"sketch_size": 100}):
        with pytest.raises(ValueError, match=f"`{next(iter(options))}`"):
            lstsq_refine(*problem, method=SPIR(), **options)


@pytest.mark.parametrize("method", ["spir", "gram", "lapack", SPIR(), Gram(), LAPACK()], ids=str)
def test_method_by_name_and_by_value(method, problem):
    result = lstsq_refine(*problem, method=method, rng=0)
    assert result.method == getattr(method, "name", method)
    assert result.success


def test_methods_are_values():
    assert SPIR(sketch_size=100) == SPIR(sketch_size=100) != SPIR()
    assert len({SPIR(), SPIR(), Gram(), LAPACK()}) == 3
    assert repr(Gram()) == "Gram(condition_limit=10000000.0)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        Gram().condition_limit = 3
    spir = SPIR(sketch="count_sketch", sketch_size=9)
    for method in (spir, Gram(condition_limit=10.0), LAPACK()):
        assert pickle.loads(pickle.dumps(method)) == method
    with pytest.raises(TypeError):
        SPIR("sparse_sign")


@pytest.mark.parametrize(
    ("method", "options", "error"),
    [
        (SPIR, {"sketch": "fourier"}, ValueError),
        (SPIR, {"sketch": 3}, (TypeError, ValueError)),
        (SPIR, {"sketch_size": 0}, ValueError),
        (SPIR, {"sketch_size": 2.5}, TypeError),
        (SPIR, {"sketch_size": 9, "sketch": SparseSign.draw(9, 50, rng=0)}, ValueError),
        (Gram, {"condition_limit": -1}, ValueError),
        (Gram, {"condition_limit": 1e9}, ValueError),
        (Gram, {"condition_limit": "big"}, TypeError),
    ],
    ids=label,
)
def test_methods_check_themselves(method, options, error):
    with pytest.raises(error, match=f"`{next(iter(options))}`"):
        method(**options)


def test_gram_takes_its_own_limit(rng):
    A, b, _ = lstsq_problem(600, 15, condition=1e3, residual=0.1, rng=rng)
    assert lstsq_refine(A, b, method=Gram(condition_limit=1e4)).method == "gram"
    with pytest.raises(ValueError, match="below 1e\\+01"):
        lstsq_refine(A, b, method=Gram(condition_limit=10.0))


@pytest.mark.parametrize("family", sorted(SKETCHES))
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.complex64])
def test_families_by_name_and_by_operator(family, form, dtype, rng):
    A, b, _ = lstsq_problem(700, 9, condition=1e2, residual=0.1, rng=rng, dtype=dtype)
    eps = np.finfo(dtype).eps
    named = lstsq_refine(form(A), b, method="spir", sketch=family, sketch_size=90, rng=3)
    assert backward_error(A, b, named.x) <= 10 * eps
    real = np.float32 if eps > 1e-10 else np.float64
    S = SKETCHES[family].draw(90, 700, rng=3, dtype=real)
    given = lstsq_refine(form(A), b, method="spir", sketch=S, rng=4)
    np.testing.assert_array_equal(given.x, named.x)
    assert given.n_iter == named.n_iter


def test_a_sketch_from_elsewhere(rng):
    # Any `SketchingOperator` will do, also in the other precision.
    A, b, _ = lstsq_problem(700, 9, condition=1e6, residual=0.1, rng=rng)
    S = SparseSign.draw(90, 700, zeta=4, rng=0, dtype=np.float32)
    result = lstsq_refine(A, b, sketch=S, method="spir")
    assert result.success
    assert backward_error(A, b, result.x) <= 10 * EPS


def test_a_larger_sketch_needs_fewer_steps(rng):
    A, b, _ = lstsq_problem(4000, 40, condition=1e6, residual=0.1, rng=rng)
    steps = [
        lstsq_refine(A, b, method="spir", sketch_size=size, rng=0).n_iter for size in (80, 200, 800)
    ]
    assert steps[0] > steps[1] > steps[2]


@pytest.mark.parametrize("method", ["spir", "gram"])
def test_rtol_is_an_inequality_on_the_certificate(method, rng):
    A, b, _ = lstsq_problem(2000, 40, condition=1e3, residual=1, rng=rng)
    passes = []
    for rtol in (1e-1, 1e-4, 1e-8, 1e-12, None):
        result = lstsq_refine(A, b, method=method, rtol=rtol, rng=0)
        assert result.success
        assert result.backward_error <= (2 * EPS if rtol is None else rtol)
        assert backward_error(A, b, result.x, exact=True) <= 3 * (rtol or EPS)
        passes.append(result.n_passes)
    assert passes == sorted(passes)
    assert passes[0] <= 3


def test_rtol_of_zero_cannot_be_met(problem):
    with pytest.warns(ConvergenceWarning, match=r"above rtol=0\.0e\+00"):
        result = lstsq_refine(*problem, method="spir", rtol=0, rng=0)
    assert result.status is Status.STAGNATED
    assert not result.success
    assert result.backward_error <= EPS
    assert "sketch_size" in result.message
    # It stops by itself long before the default limit.
    assert result.n_iter < 200


def test_result_describes_itself(problem):
    A, b = problem
    result = lstsq_refine(A, b, method="spir", rng=0)
    text = repr(result)
    assert "array" not in text
    assert "backward_error" in text
    assert len(text) < 500
    assert result.message.startswith("spir: ")
    assert result.condition == pytest.approx(1e3, rel=1)
    assert result.rank == 15
    assert result.residual_norm == pytest.approx(np.linalg.norm(b - A @ result.x))
    assert result.history.ndim == 1
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        result.x = 0
    for name in ("rank", "n_iter", "n_matvec", "n_passes"):
        assert type(getattr(result, name)) is int
    for name in ("condition", "backward_error", "residual_norm"):
        assert type(getattr(result, name)) is float
    copy = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(copy.x, result.x)


@pytest.mark.parametrize("method", ["spir", "gram", "lapack"])
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e5])
def test_condition_is_an_estimate(condition, method, rng):
    A, b, _ = lstsq_problem(600, 15, condition=condition, residual=0.1, rng=rng)
    found = lstsq_refine(A, b, method=method, rng=0).condition
    equilibrated = np.linalg.cond(A / np.linalg.norm(A, axis=0))
    assert equilibrated / 4 <= found <= 4 * equilibrated


class TestChoice:
    """`choose_method` tells what "auto" runs."""

    @pytest.mark.parametrize(
        ("shape", "name"),
        [((500, 5), "lapack"), ((50, 40), "lapack"), ((5, 50), "lapack"), ((600, 600), "lapack")],
    )
    def test_small_and_flat_problems_go_to_lapack(self, shape, name, rng):
        assert choose_method(rng.standard_normal(shape)).method == LAPACK()

    @pytest.mark.parametrize("m", [20_000, 60_000])
    @pytest.mark.parametrize("n", [12, 40])
    @pytest.mark.parametrize("condition", [1.0, 1e4, 1e10])
    def test_auto_runs_what_it_says(self, condition, n, m, rng):
        mixing = np.geomspace(1, 1 / condition, n)[:, None] * haar(n, n, rng=rng)
        A, b = gaussian(m, n, rng) @ mixing, rng.standard_normal(m)
        choice = choose_method(A, b)
        assert choice.reason
        assert lstsq_refine(A, b, rng=0).method == choice.method.name
        assert lstsq_refine(A, b, method=choice.method, rng=0).method == choice.method.name
        if condition > 1e9:
            assert choice.method == (SPNE() if m > 30_000 else LAPACK())

    def test_gram_that_turns_out_wrong_is_replaced(self, rng):
        # Evenly spaced rows look harmless; one other row makes the matrix ill-conditioned.
        A = rng.standard_normal((40_000, 12))
        A[40_000 - 3] *= 1e12
        b = rng.standard_normal(40_000)
        result = lstsq_refine(A, b, rng=0)
        assert result.method == "spne"
        assert backward_error(A, b, result.x, exact=True) <= 10 * EPS

    def test_gram_that_turns_out_wrong_becomes_lapack_where_a_sketch_would_not_pay(self, rng):
        A = rng.standard_normal((20_000, 40))
        A[20_000 - 3] *= 1e12
        b = rng.standard_normal(20_000)
        assert choose_method(A).method == Gram()
        result = lstsq_refine(A, b, rng=0)
        assert result.method == "lapack"
        assert backward_error(A, b, result.x) <= 10 * EPS

    def test_aspect_decides_between_sketch_and_qr(self, rng):
        A = rng.standard_normal((40_000, 20)) @ np.diag(np.logspace(0, -10, 20))
        A = A @ rng.standard_normal((20, 20))
        assert choose_method(A).method == SPNE()
        assert choose_method(A[:20_000]).method == LAPACK()
        # Zeros that nobody touches take no memory.
        assert choose_method(np.zeros((31_000, 2600))).method == LAPACK()

    def test_sketch_options_are_passed_on(self, rng):
        A = gaussian(60_000, 20, rng) @ np.diag(np.logspace(0, -10, 20)) @ gaussian(20, 20, rng)
        choice = choose_method(A, sketch="count_sketch", sketch_size=500)
        assert choice.method == SPNE(sketch="count_sketch", sketch_size=500)

    def test_operators_and_sparse_matrices(self, rng):
        A = scipy.sparse.random_array((5000, 50), density=0.01, rng=rng, format="csr")
        assert choose_method(A).method == Gram()
        assert choose_method(A).reason.startswith("sparse: to try the Gram matrix")
        assert choose_method(aslinearoperator(A)).method == SPIR()
        assert choose_method(A[:60]).method == LAPACK()
        assert choose_method(aslinearoperator(A[:60])).method == LAPACK()

    def test_wide_operators_and_sparse_matrices(self, rng):
        A = scipy.sparse.random_array((30, 500), density=0.1, rng=rng, format="csr")
        for form in (A, aslinearoperator(A)):
            assert choose_method(form).method == SPIR()
        assert choose_method(A.toarray()).method == LAPACK()
        assert choose_method(A[:, :100]).method == LAPACK()
        assert choose_method(aslinearoperator(A[:, :50])).method == LAPACK()
        long = np.broadcast_to(1.0, (20, 40_000))
        assert choose_method(long).method == SPIR()
        assert "adjoint" in choose_method(long).reason

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="`A`"):
            choose_method(np.ones(5))
        with pytest.raises(ValueError, match="`sketch`"):
            choose_method(np.ones((5, 2)), sketch="none")
        with pytest.raises(ValueError, match="`sketch_size`"):
            choose_method(np.ones((5, 2)), sketch_size=0)
        with pytest.raises(TypeError, match="`sketch_size`"):
            choose_method(np.ones((5, 2)), sketch_size=1.5)


class Huge(LinearOperator):
    """Too large to become dense; whoever multiplies with it fails."""

    def __init__(self):
        super().__init__(np.float64, (600_000, 1000))

    def _matvec(self, x):
        raise AssertionError("multiplied")

    _rmatvec = _matvec


def test_lapack_refuses_operators_too_large_to_be_dense():
    with pytest.raises(ValueError, match=r"method='lapack'.*GiB.*method='spir'"):
        lstsq_refine(Huge(), np.ones(600_000), method="lapack")


def test_public_names():
    assert rnla.lstsq_refine is lstsq_refine
    for name in rnla.lstsq.__all__:
        assert getattr(rnla.lstsq, name).__doc__
