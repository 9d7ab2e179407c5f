"""The law: backward errors of a few units of roundoff, whatever the problem."""

import numpy as np
import pytest
import scipy.sparse
from controls import lstsq as controls
from lstsq_cases import (
    EPS,
    MANY_SEEDS,
    NAMED,
    RANDSVD,
    Randsvd,
    assert_backward_stable,
    errors_of,
    refined,
)

from rnla.sketch import SKETCHES

SINGLE = float(np.finfo(np.float32).eps)
HARD = Randsvd(1e12, 1e-3)


@pytest.mark.parametrize("case", RANDSVD, ids=str)
def test_spir_on_planted_singular_values(case):
    assert_backward_stable(errors_of(refined(method="spir"), case))


@pytest.mark.parametrize("case", NAMED, ids=str)
def test_spir_on_named_matrices(case):
    assert_backward_stable(errors_of(refined(method="spir"), case))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spir", "lapack", "spne", "sirr"])
@pytest.mark.parametrize("case", [*RANDSVD, *NAMED], ids=str)
def test_the_law_on_many_seeds(case, method):
    assert_backward_stable(errors_of(refined(method=method), case, seeds=MANY_SEEDS))


@pytest.mark.parametrize("case", [c for c in RANDSVD if c.residual in (1e-6, 1.0)], ids=str)
def test_lapack_on_planted_singular_values(case):
    assert_backward_stable(errors_of(refined(method="lapack"), case))


@pytest.mark.parametrize("case", NAMED, ids=str)
def test_auto_on_named_matrices(case):
    # Small: LAPACK runs.
    assert_backward_stable(errors_of(refined(), case))


@pytest.mark.parametrize("residual", [1e-12, 1e-3, 1e3])
@pytest.mark.parametrize("condition", [1.0, 1e2, 1e5])
def test_gram_on_well_conditioned_matrices(condition, residual):
    assert_backward_stable(errors_of(refined(method="gram"), Randsvd(condition, residual)))


LARGE = [
    Randsvd(c, r, m=12_000) for c, r in [(1, 1), (1e4, 1e-3), (1e8, 1e-6), (1e12, 1e-3), (1e16, 1)]
]


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_auto_above_the_size_where_sketching_starts(case):
    assert_backward_stable(errors_of(refined(), case, seeds=range(3)))


@pytest.mark.parametrize("family", sorted(SKETCHES))
def test_every_family_of_sketches(family):
    case = Randsvd(1e12, 1e-3, n=20)
    solver = refined(method="spir", sketch=family, sketch_size=200)
    assert_backward_stable(errors_of(solver, case))


@pytest.mark.parametrize("factor", [2, 3, 4, 12])
def test_every_size_of_sketch(factor):
    solver = refined(method="spir", sketch_size=factor * HARD.n)
    assert_backward_stable(errors_of(solver, HARD))


@pytest.mark.parametrize("method", ["spir", "lapack"])
@pytest.mark.parametrize("condition", [1.0, 1e8, 1e12, 1e16])
def test_complex(condition, method):
    case = Randsvd(condition, 1e-3, dtype=np.complex128)
    assert_backward_stable(errors_of(refined(method=method), case))


@pytest.mark.parametrize("layout", [np.asfortranarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("condition", [1e4, 1e12])
def test_layouts(condition, layout):
    case = Randsvd(condition, 1e-3)
    solve = refined(method="spir")
    errors = errors_of(lambda A, b, seed: solve(layout(A), b, seed), case)
    assert_backward_stable(errors)


@pytest.mark.parametrize("method", ["spir", "auto", "gram"])
@pytest.mark.parametrize("residual", [1e-6, 1.0, 1e3])
@pytest.mark.parametrize("condition", [1.0, 1e5])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision(dtype, condition, residual, method):
    # x in single precision, measured against A and b as they are.
    case = Randsvd(condition, residual, dtype=dtype)
    errors = errors_of(refined(method=method), case, seeds=range(4), eps=SINGLE)
    assert_backward_stable(errors)


@pytest.mark.parametrize("control", controls.SOLVERS, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "case", [Randsvd(1e8, 1e-6), Randsvd(1e12, 1e-6), Randsvd(1e12, 1e-3)], ids=str
)
def test_the_law_rejects_unstable_solvers(case, control):
    errors = errors_of(control, case, seeds=range(6))
    with pytest.raises(AssertionError, match="median"):
        assert_backward_stable(errors)
    # Rejected by a wide margin, so the law is not just lucky.
    assert np.median(errors) > 100


@pytest.mark.parametrize("control", controls.SOLVERS, ids=lambda f: f.__name__)
def test_some_controls_look_right_on_an_easy_problem(control):
    errors = errors_of(control, Randsvd(2.0, 1e-6), seeds=range(4))
    if control is controls.sketch_and_solve:
        assert errors.min() > 100
    else:
        assert errors.max() < 50


def test_the_law_rejects_a_slightly_inaccurate_solver():
    # 20 units of roundoff in x, in a random direction, are enough.
    solve = refined(method="spir")

    def blurred(A, b, seed):
        x = solve(A, b, seed)
        e = np.random.default_rng(seed).standard_normal(len(x))
        return x + 100 * EPS * np.linalg.norm(x) * e / np.linalg.norm(e)

    with pytest.raises(AssertionError, match="median"):
        assert_backward_stable(errors_of(blurred, Randsvd(1.0, 1.0)))


def test_a_solver_that_errs_once_in_twenty_is_rejected():
    errors = np.full(20, 0.5)
    assert_backward_stable(errors)
    errors[7] = 11
    with pytest.raises(AssertionError, match=r"worst 11\.00"):
        assert_backward_stable(errors)
    with pytest.raises(AssertionError, match="nan"):
        assert_backward_stable(np.full(20, np.nan))
