"""Every method: its law, its limits, and what it does with every kind of input."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import (
    EPS,
    NAMED,
    RANDSVD,
    Randsvd,
    assert_backward_stable,
    errors_of,
    gaussian,
    refined,
)
from scipy.sparse.linalg import aslinearoperator

import rnla
from rnla import Status, lstsq_refine
from rnla.lstsq import (
    FOSSILS,
    SIRR,
    SPIR,
    IterativeSketching,
    SketchAndPrecondition,
    SketchAndSolve,
    backward_error,
)
from rnla.testing import lstsq_problem

STABLE = ["spir", "spne", "sirr", "fossils"]
UNSTABLE = ["iterative_sketching", "sketch_and_precondition", "sketch_and_solve"]
METHODS = [*STABLE, *UNSTABLE]
HARD = Randsvd(1e12, 1e-3)
FORMS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda A: np.repeat(A, 2, axis=1)[:, ::2],
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_matrix,
    "operator": aslinearoperator,
}


def quietly(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rnla.ConvergenceWarning)
        return lstsq_refine(*arguments, **options)


@pytest.mark.parametrize("method", ["spne", "sirr"])
@pytest.mark.parametrize("case", [c for c in RANDSVD if c.residual in (1e-6, 1.0)], ids=str)
def test_stable_methods_on_planted_singular_values(case, method):
    assert_backward_stable(errors_of(refined(method=method), case))


@pytest.mark.parametrize("method", ["spne", "sirr"])
@pytest.mark.parametrize("case", NAMED, ids=str)
def test_stable_methods_on_named_matrices(case, method):
    assert_backward_stable(errors_of(refined(method=method), case, seeds=range(4)))


@pytest.mark.parametrize("condition", [1e2, 1e8, 1e12])
def test_fossils_and_the_lsqr_engine(condition):
    case = Randsvd(condition, 1e-3)
    assert_backward_stable(errors_of(refined(method=FOSSILS()), case, seeds=range(6)))
    assert_backward_stable(errors_of(refined(method=SPIR(inner="lsqr")), case, seeds=range(6)))


@pytest.mark.parametrize(
    "method",
    [
        IterativeSketching(),
        IterativeSketching(variant="damped"),
        IterativeSketching(variant="plain"),
        SketchAndPrecondition(),
        SketchAndPrecondition(start="zero"),
        SketchAndSolve(),
    ],
    ids=repr,
)
def test_methods_documented_as_unstable_say_so(method):
    # They never claim what they did not reach: a warning, an honest certificate.
    A, b = HARD.build(np.random.default_rng(0))
    with pytest.warns(rnla.ConvergenceWarning, match="backward error"):
        result = lstsq_refine(A, b, method=method, rng=0)
    true = backward_error(A, b, result.x)
    assert true > 20 * EPS
    assert not result.success
    assert result.status is Status.STAGNATED
    assert true / 3 < result.backward_error < 3 * true


@pytest.mark.parametrize("variant", ["momentum", "damped", "plain"])
def test_iterative_sketching_is_forward_stable(variant):
    ratios = []
    for seed in range(5):
        A, b, x = lstsq_problem(4000, 50, condition=1e8, residual=1e-3, rng=seed)
        ours = quietly(A, b, method=IterativeSketching(variant=variant), rng=seed).x
        theirs = np.linalg.lstsq(A, b)[0]
        ratios.append(np.linalg.norm(ours - x) / np.linalg.norm(theirs - x))
    assert np.median(ratios) < 10


def test_sirr_beats_iterative_sketching_by_four_orders_of_magnitude():
    # The published claim, at its own setting: m=4000, n=50, d=12 n, condition 1e12.
    gains = []
    for seed in range(5):
        A, b, _ = lstsq_problem(4000, 50, condition=1e12, residual=1e-3, rng=seed)
        errors = [
            backward_error(A, b, quietly(A, b, method=method, rng=seed).x, exact=False)
            for method in ("iterative_sketching", "sirr")
        ]
        gains.append(errors[0] / errors[1])
    assert np.median(gains) > 3e3


def test_recursion_gains_where_refinement_alone_does_not():
    A, b, _ = lstsq_problem(2000, 100, condition=1e8, residual=1e-3, rng=0)
    shallow = quietly(A, b, method=SIRR(depth=1, krylov=1), rng=0, maxiter=3)
    deep = quietly(A, b, method=SIRR(depth=4, krylov=1), rng=0, maxiter=3)
    assert deep.backward_error < 1e-3 * shallow.backward_error


def test_fossils_diverges_with_a_small_sketch_where_cg_does_not():
    failures = {"fossils": 0, "spir": 0}
    for seed in range(12):
        A, b, _ = lstsq_problem(2000, 100, condition=1e12, residual=1e-3, rng=seed)
        for method in failures:
            x = quietly(A, b, method=method, sketch_size=150, rng=seed).x
            gradient = np.linalg.norm(A.T @ (b - A @ x)) / np.linalg.norm(A.T @ b)
            failures[method] += gradient > 1e-5
    assert failures["spir"] == 0
    assert failures["fossils"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("method", ["spir", "sirr", "spne"])
def test_no_failures_in_a_hundred_problems(method, factor):
    for seed in range(100):
        A, b, _ = lstsq_problem(2000, 100, condition=1e12, residual=1e-3, rng=seed)
        x = quietly(A, b, method=method, sketch_size=factor * 100, rng=seed).x
        assert np.linalg.norm(A.T @ (b - A @ x)) <= 1e-5 * np.linalg.norm(A.T @ b)


class TestInputs:
    """Every method on every kind of input: the same answer as LAPACK's."""

    @pytest.fixture
    def problem(self, rng):
        A, b, _ = lstsq_problem(1500, 30, condition=1e3, residual=0.1, rng=rng)
        return A, b

    def solve(self, A, b, method, **options):
        result = quietly(A, b, method=method, rng=0, **options)
        # Sketch-and-solve is a rough guess by design; all else reaches LAPACK here.
        return result, (0.7 if method == "sketch_and_solve" else 1e-9)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("form", list(FORMS))
    def test_forms(self, problem, form, method):
        A, b = problem
        result, accuracy = self.solve(FORMS[form](A), b, method)
        assert result.method == method
        expected = np.linalg.lstsq(A, b)[0]
        assert np.linalg.norm(A @ (result.x - expected)) <= accuracy * np.linalg.norm(b)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
    def test_dtypes(self, method, dtype, rng):
        A, b = gaussian(1200, 25, rng, dtype), gaussian(1200, 1, rng, dtype)[:, 0]
        result, accuracy = self.solve(A, b, method)
        assert result.x.dtype == dtype
        expected = np.linalg.lstsq(A.astype(complex), b)[0]
        accuracy = max(accuracy, 1e-5 if dtype(0).real.itemsize == 4 else 0)
        assert np.linalg.norm(A @ (result.x - expected)) <= accuracy * np.linalg.norm(b)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("damp", [0.0, 0.3])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_several_right_hand_sides(self, problem, method, damp, weighted, rng):
        A, b = problem
        B = np.column_stack([b, rng.standard_normal((len(b), 3)), np.zeros(len(b))])
        weights = rng.random(len(b)) if weighted else None
        result, accuracy = self.solve(A, B, method, damp=damp, weights=weights)
        root = np.sqrt(weights)[:, None] if weighted else np.ones((len(b), 1))
        stacked = np.vstack([root * A, damp * np.eye(30)])
        padded = np.vstack([root * B, np.zeros((30, 5))])
        expected = np.linalg.lstsq(stacked, padded)[0]
        difference = np.linalg.norm(stacked @ (result.x - expected), axis=0)
        assert (difference <= accuracy * np.linalg.norm(padded, axis=0) + 1e-300).all()

    @pytest.mark.parametrize("method", METHODS)
    def test_rank_deficient(self, method, rng):
        B = gaussian(1500, 12, rng)
        A = np.hstack([B, B])
        b = rng.standard_normal(1500)
        result = quietly(A, b, method=method, rng=0)
        assert result.rank == 12
        if method != "sketch_and_solve":
            expected = np.linalg.lstsq(A, b, rcond=1e-12)[0]
            np.testing.assert_allclose(result.x, expected, atol=1e-9)

    @pytest.mark.parametrize("method", METHODS)
    def test_degenerate(self, method):
        A = np.zeros((400, 10))
        assert not lstsq_refine(A, np.ones(400), method=method, rng=0).x.any()
        A[:, 3] = 1.0
        assert not lstsq_refine(A, np.zeros(400), method=method, rng=0).x.any()

    @pytest.mark.parametrize("method", [method for method in METHODS if method != "spir"])
    def test_wide_problems_are_refused_with_the_method_to_use(self, method, rng):
        with pytest.raises(ValueError, match=f"method='{method}' needs m >= n.*method='spir'"):
            lstsq_refine(rng.standard_normal((10, 30)), np.ones(10), method=method)

    @pytest.mark.parametrize("method", METHODS)
    def test_one_seed_one_answer(self, problem, method):
        A, b = problem
        first, second = (quietly(A, b, method=method, rng=7) for _ in range(2))
        np.testing.assert_array_equal(first.x, second.x)

    @pytest.mark.parametrize("method", METHODS)
    def test_nan_is_refused(self, problem, method):
        A, b = problem
        A = A.copy()
        A[700, 3] = np.nan
        with pytest.raises(ValueError, match="`A` must not contain NaN"):
            lstsq_refine(A, b, method=method, rng=0)


def test_spne_reads_the_matrix_three_times(rng):
    A, b, _ = lstsq_problem(4000, 40, condition=1e10, residual=1e-3, rng=rng)
    result = lstsq_refine(A, b, method="spne", rng=0)
    # One step with its certificate more where rounding leaves the first one above the tolerance.
    assert result.n_iter <= 1
    assert result.n_passes == 3 + 2 * result.n_iter


def test_lsqr_reads_the_matrix_twice_per_step(rng):
    A, b, _ = lstsq_problem(4000, 40, condition=1e10, residual=1e-3, rng=rng)
    result = lstsq_refine(A, b, method=SPIR(inner="lsqr"), rng=0)
    # Two per step, three per round (start, residual, certificate), the sketch.
    assert 2 * result.n_iter < result.n_passes <= 2 * result.n_iter + 12


@pytest.mark.parametrize(
    ("method", "options", "name"),
    [
        (SPIR, {"inner": "gmres"}, "inner"),
        (SIRR, {"depth": 0}, "depth"),
        (SIRR, {"krylov": 9}, "krylov"),
        (SIRR, {"depth": 2.0}, "depth"),
        (IterativeSketching, {"variant": "fast"}, "variant"),
        (SketchAndPrecondition, {"start": None}, "start"),
        (FOSSILS, {"sketch": "nothing"}, "sketch"),
        (SketchAndSolve, {"sketch_size": 0}, "sketch_size"),
    ],
)
def test_bad_options(method, options, name):
    with pytest.raises((ValueError, TypeError), match=f"`{name}` must be"):
        method(**options)
