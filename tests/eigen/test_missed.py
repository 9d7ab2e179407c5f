"""Nothing is missed: multiple and clustered eigenvalues, at any tolerance."""

import eigen_cases as cases
import numpy as np
import pytest
from controls import eigen as controls

import rnla
from rnla.eigen import solve
from rnla.eigen._lanczos import BlockLanczos
from rnla.eigen._plan import Plan
from rnla.eigen._problem import Standard
from rnla.eigen._select import Selection
from rnla.linalg.block import SparseBlock

SUITE = cases.misconvergence()
TOLERANCES = [0, 1e-10, 1e-8, 1e-6, 1e-4]


@pytest.mark.parametrize("case", SUITE, ids=str)
def test_no_member_of_a_cluster_is_missed(case, rng):
    A = case.build(rng)
    for tol in TOLERANCES:
        w = rnla.eigsh(
            A, case.k, which=case.which, tol=tol, method="lanczos", rng=rng,
            return_eigenvectors=False,
        )  # fmt: skip
        assert not cases.wrong_set(case, w, tol), (tol, w)


@pytest.mark.parametrize("n", range(5, 14))
def test_no_copy_is_missed_where_the_search_fills_the_space(n, rng):
    for k in range(1, n):
        spectrum = rng.choice([-3, 0, 0.5, 0.5, 0.5, 1, 2], n)
        A = cases.hermitian(spectrum, rng)
        for which, order in (("LA", -spectrum), ("SA", spectrum), ("LM", -np.abs(spectrum))):
            w = rnla.eigsh(A, k, which=which, ncv=n, rng=rng, return_eigenvectors=False)
            wanted = spectrum[np.argsort(order, kind="stable")[:k]]
            size = np.abs if which == "LM" else np.asarray
            np.testing.assert_allclose(np.sort(size(w)), np.sort(size(wanted)), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 600])
@pytest.mark.parametrize("tol", TOLERANCES)
def test_no_member_is_missed_in_many_runs(n, tol, rng):
    for case in cases.misconvergence(n):
        A = case.build(rng)
        for _ in range(10):
            w = solve(A, case.k, which=case.which, tol=tol, method="lanczos", rng=rng).values
            assert not cases.wrong_set(case, w, tol), (case.name, w)


@pytest.mark.parametrize("block_size", [1, 2, 3, 4, 6])
def test_any_block_size_finds_all(block_size, rng):
    case = cases.Case("six-fold", SUITE[0].spectrum, 8)
    A = case.build(rng)
    for tol in (0, 1e-6):
        result = solve(
            A, case.k, which="LA", tol=tol, method="lanczos", block_size=block_size, rng=rng
        )
        assert result.verified
        assert not cases.wrong_set(case, result.values, tol)


@pytest.mark.parametrize("solver", controls.SOLVERS, ids=lambda s: s.__name__)
def test_control_is_rejected(solver, rng):
    missed = 0
    for case in (SUITE[0], SUITE[1], cases.Case("twelve", SUITE[9].spectrum, 12)):
        A = case.build(rng)
        missed += cases.wrong_set(case, solver(A, case, rng), 1e-8)
    assert missed


def test_complex_triple(rng):
    spectrum = np.concatenate([[2.0] * 3, np.linspace(-1, 1.8, 197)])
    A = cases.hermitian(spectrum, rng, complex)
    w, X = rnla.eigsh(A, 4, which="LA", method="lanczos", rng=rng)
    assert np.abs(w - [1.8, 2, 2, 2]).max() < 1e-12
    assert cases.orthonormality(X) < 100 * cases.EPS
    assert cases.residuals(A, w, X).max() < 1e-13


def test_pairs_given_up_before_a_miss_are_not_given_up_after_it(rng):
    # As where the recurrence had lost touch with the operator, and errors had stopped to fall.
    spectrum = np.concatenate([np.full(12, 1.0), np.linspace(0, 0.99, 500)])
    A = cases.block_diagonal(spectrum, rng)
    problem, plan = (
        Standard(SparseBlock(A), 0.0, A.dtype),
        Plan(Selection("LA", 8), 2, 40, 1e-10, True),
    )
    search = BlockLanczos(problem, plan, rng)
    states = search.states(None)
    state = next(states)
    while not state.certified and state.n_iter < 500:
        if search.probe is None and not search.missed:
            search.mending, search.patience.looks = True, 100
        state = next(states)
    assert search.missed
    assert state.verified
    np.testing.assert_allclose(state.theta, 1.0, rtol=0, atol=1e-12)
    assert state.residual_norm.max() <= 1e-10


def test_without_verification_it_says_so(rng):
    result = solve(
        SUITE[0].build(rng), 3, which="LA", method="lanczos", verify=False, rng=rng, tol=1e-6
    )
    assert result.verified is False


@pytest.mark.parametrize("tol", [1e-4, 1e-6])
def test_what_rises_among_the_wanted_is_waited_for(tol, rng):
    """Forty copies above a ladder that is finer than the tolerance: blocks see four at a time."""
    spectrum = np.concatenate([np.ones(40), 1 - np.logspace(-3, 0, 258)])
    result = solve(
        cases.hermitian(spectrum, rng), 30, which="LA", tol=tol, method="lanczos", rng=rng
    )
    assert result.verified
    assert np.abs(1 - result.values).max() < 2 * tol
