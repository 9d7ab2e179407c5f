"""Every method on every input: its stated accuracy, or a sentence with the method to use."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from controls import table as controls
from lstsq_table import (
    APART,
    EMPTY,
    INPUTS,
    METHODS,
    NOT_TALL,
    REFUSALS,
    case_of,
    instead,
    solve,
)
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import ConvergenceWarning, Status, lstsq_refine
from rnla.lstsq import backward_error, choose_method

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "least-squares.md"
EPS = float(np.finfo(np.float64).eps)
# One in every run; every night the median counts, too.
SEEDS, MANY_SEEDS = range(1), range(1, 6)
# Columns with smaller singular values count as zero.
CUT = 30 * EPS
FORWARD_STABLE = tuple(name for name in METHODS if name.startswith("iterative_sketching"))
FORWARD_STABLE_WHERE_EASY = ("sketch_and_precondition", "sketch_and_precondition, zero", "cgls")


def quietly(method, case, seed, solver=lstsq_refine):
    """Solve; any warning but the solver's own is an error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", ConvergenceWarning)
        result = solve(method, case, seed, solver)
    assert len(caught) == (not result.success), [str(w.message) for w in caught]
    return result


def columns(array):
    return array if array.ndim == 2 else array[:, None]


def backward_errors(case, x, scale=1.0):
    """Return the backward errors of all columns, for columns of A divided by `scale`."""
    X, B = (columns(x).T * scale).T, columns(case.rhs)
    A = case.dense / scale
    return [backward_error(A, B[:, k], X[:, k], exact=False) for k in range(B.shape[1])]


def image_error(case, x):
    """Return ``||A (x - x_exact)||`` in units of what a forward stable solver may err.

    That is ``eps (||A|| ||x|| + cond(A) ||r||)`` for A with columns of equal norm, and
    ``eps ||A|| ||x||`` of the precision that x is rounded to.
    """
    scale = column_norms(case)
    A, X, B = case.dense / scale, (columns(x).T * scale).T, columns(case.rhs)
    U, sigma, _ = np.linalg.svd(A, full_matrices=False)
    kept = sigma > CUT * sigma[0]
    U, condition = U[:, kept], sigma[0] / sigma[kept].min()
    image = U @ (U.conj().T @ B)
    sizes = sigma[0] * np.linalg.norm(X, axis=0)
    unit = EPS * (sizes + condition * np.linalg.norm(B - image, axis=0)) + case.eps * sizes
    return np.max(np.linalg.norm(A @ X - image, axis=0) / np.where(unit > 0, unit, 1))


def column_norms(case):
    norms = np.linalg.norm(case.dense, axis=0)
    return np.where(norms > 0, norms, 1.0)


def assert_truthful(method, name, case, result):
    """Method, status, success and certificate say what happened."""
    own = method.partition(",")[0]
    if method == "auto":
        options = {k: v for k, v in case.options.items() if k in ("damp", "sketch", "sketch_size")}
        own = choose_method(case.A, case.b, **options).method.name
        own = "spir" if "preconditioner" in case.options else own
    factorless = method in ("gram", "cgls")
    assert result.method == ("lapack" if name in NOT_TALL and not factorless else own)
    limit = CUT if result.rank < case.dense.shape[1] else 2 * EPS
    # In single precision the certificate is that of the rounded x.
    reached = result.backward_error if case.eps == EPS else result.history[-1]
    assert result.success == (reached <= limit)
    assert result.success <= (result.backward_error <= max(limit, case.eps))
    assert (result.status is Status.CONVERGED) == result.success
    if not result.success:
        true = max(backward_errors(case, result.x, column_norms(case)))
        assert true / 5 - EPS < result.backward_error < 5 * true + EPS


def assert_accurate(method, name, results):
    """What the docstring of the method promises."""
    errors = [max(backward_errors(case, result.x)) / case.eps for case, result in results]
    if method == "sketch_and_solve" and results[0][1].method == method:
        for case, result in results:
            B = columns(case.rhs)
            best = B - case.dense @ np.linalg.lstsq(case.dense, B, CUT)[0]
            residual = np.linalg.norm(B - case.dense @ columns(result.x), axis=0)
            assert (residual <= 2 * np.linalg.norm(best, axis=0) + 1e-12).all()
    elif method in FORWARD_STABLE_WHERE_EASY and name == "condition 1e12":
        pass
    elif method in FORWARD_STABLE + FORWARD_STABLE_WHERE_EASY:
        assert max(image_error(case, result.x) for case, result in results) <= 20
    else:
        assert np.median(errors) <= (2 if len(errors) > 1 else 10), errors
        assert max(errors) <= 10, errors
    # Whoever claims success has it.
    assert all(e <= 10 for e, (_, result) in zip(errors, results, strict=True) if result.success)


def check(method, name, solver=lstsq_refine, seeds=SEEDS):
    """The law of one cell."""
    results = []
    for seed in seeds:
        case = case_of(name, seed)
        result = quietly(method, case, seed, solver)
        assert result.x.shape == (case.dense.shape[1], *np.shape(case.b)[1:])
        assert result.x.dtype == case.dtype
        assert_truthful(method, name, case, result)
        results.append((case, result))
    assert_accurate(method, name, results)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [name for name in INPUTS if name not in (*APART, *EMPTY)])
def test_every_method_takes_every_input_or_names_one_that_does(name, method):
    better = instead(method, name)
    if better is None:
        check(method, name)
        return
    case = case_of(name, 0)
    with pytest.raises(ValueError, match=f"use method='{better}'"):
        solve(method, case, 0)
    # Whose own cell is checked by this same test.
    assert instead(better, name) is None
    assert better in METHODS


SOLVED = [
    (name, method)
    for name in INPUTS
    for method in METHODS
    if name not in (*APART, *EMPTY) and instead(method, name) is None
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "method"), SOLVED)
def test_every_cell_on_many_seeds(name, method):
    check(method, name, seeds=MANY_SEEDS)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_solve(name, method):
    case = case_of(name, 0)
    result = quietly(method, case, 0)
    assert result.x.shape == (case.dense.shape[1], *case.b.shape[1:])
    assert not result.x.any()
    assert result.success


@pytest.mark.parametrize("method", METHODS)
def test_more_columns_than_rows(method):
    case = case_of("m < n", 0)
    try:
        result = quietly(method, case, 0)
    except ValueError as error:
        result = quietly(re.search(r"use method='(\w+)'", str(error))[1], case, 0)
    least = np.linalg.lstsq(case.dense, case.rhs)[0]
    assert np.linalg.norm(result.x - least) <= 1e-12 * np.linalg.norm(least)


@pytest.mark.parametrize("method", [method for method in METHODS if method != "cgls"])
def test_an_operator_without_its_adjoint_is_named(method):
    case = case_of("operator without rmatvec", 0)
    with pytest.raises(TypeError, match=r"`A` must have products with its adjoint: .*`rmatvec`"):
        solve(method, case, 0)


class Forward(LinearOperator):
    """A subclass that defines a product and nothing else."""

    def __init__(self, A):
        super().__init__(A.dtype, A.shape)
        self.A = A

    def _matvec(self, x):
        return self.A @ x


class Duck:
    """The same without a base class."""

    def __init__(self, A):
        self.A, self.shape, self.dtype = A, A.shape, A.dtype

    def matvec(self, x):
        return self.A @ x


@pytest.mark.parametrize(
    "form", [Forward, Duck, lambda A: aslinearoperator(A) @ Forward(np.eye(A.shape[1]))]
)
@pytest.mark.parametrize("options", [{}, {"damp": 0.1}, {"weights": np.ones(300)}], ids=str)
def test_operators_of_any_make_without_an_adjoint(form, options, rng):
    A = rng.standard_normal((300, 6))
    with pytest.raises(TypeError, match="`A` must have products with its adjoint"):
        lstsq_refine(form(A), np.ones(300), **options)


def test_an_error_inside_the_adjoint_is_the_callers_own():
    def rmatvec(y):
        raise TypeError("from the caller")

    A = LinearOperator((300, 6), matvec=lambda x: np.ones(300), rmatvec=rmatvec, dtype=float)
    with pytest.raises(TypeError, match="from the caller"):
        lstsq_refine(A, np.ones(300))


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e20, 1e160, 1e308])
@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize("method", ["auto", "spir", "spne", "gram", "lapack"])
def test_first_guesses_of_any_size(method, size, scale):
    case = case_of("C", 0)
    x = lstsq_refine(
        case.A, case.b * size, x0=np.full(case.A.shape[1], scale), method=method, rng=0
    ).x
    assert backward_error(case.A, case.b * size, x) <= 10 * EPS


def test_repeated_entries_of_a_boolean_matrix_count_once(rng):
    rows, columns = np.tile(np.arange(300), 2), np.tile(np.arange(300) % 6, 2)
    A = scipy.sparse.coo_array((np.ones(600, bool), (rows, columns)), (300, 6))
    b = rng.standard_normal(300)
    expected = [b[k::6].mean() for k in range(6)]
    np.testing.assert_allclose(lstsq_refine(A, b, rng=0).x, expected, atol=1e-14)


@pytest.mark.parametrize("control", controls.TABLE, ids=lambda control: control.__name__)
def test_the_law_rejects(control):
    name, method = controls.TABLE[control]
    check(method, name)
    with pytest.raises(AssertionError):
        check(method, name, control)


def test_the_guide_states_the_same_refusals():
    if not GUIDE.exists():
        pytest.skip("the documentation is not here")
    section = GUIDE.read_text().partition("## Which method takes which input")[2]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section.partition("\n## ")[0], re.M)[2:]
    stated = [(words, re.findall(r'"([^"]+)"', who), use.strip('"')) for words, who, use in rows]
    assert stated == [(row.words, list(row.methods), row.instead) for row in REFUSALS]
