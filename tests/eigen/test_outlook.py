"""Searches that last longer than LAPACK does are ended; the others are not."""

from types import SimpleNamespace

import eigen_cases as cases
import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator

import rnla
from rnla._core.status import Status
from rnla.eigen import solve
from rnla.eigen._looks import Looks
from rnla.eigen._outlook import Outlook


def dense(n, spectrum, rng):
    return cases.hermitian(spectrum(np.arange(n) / n), rng)


@pytest.mark.parametrize("which", ["LA", "SA", "LM"])
def test_a_hard_spectrum_is_left_to_lapack(which, rng):
    A = dense(900, lambda t: 2 * t - 0.95, rng)
    result = solve(A, 6, which=which, rng=rng)
    assert result.status is Status.FELL_BACK
    assert result.method == "dense"
    assert result.n_passes < 25
    w = np.linalg.eigvalsh(A)
    best = {"LA": w[-6:], "SA": w[:6], "LM": np.sort(w[np.argsort(-np.abs(w))[:6]])}[which]
    assert result.values == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("k", [1, 6])
def test_an_easy_spectrum_is_not(k, rng):
    A = dense(900, lambda t: np.exp(-300 * t), rng)
    result = solve(A, k, which="LA", rng=rng)
    assert result.status is Status.CONVERGED
    assert result.method == "lanczos"


@pytest.mark.parametrize("options", [{"method": "lanczos"}, {"ncv": 60}, {"maxiter": 300}])
def test_who_asks_for_an_iteration_gets_one(options, rng):
    A = dense(900, lambda t: 2 * t - 0.95, rng)
    assert solve(A, 2, which="LA", rng=rng, **options).method == "lanczos"


def test_nobody_ends_the_search_of_an_operator(rng):
    A = dense(900, lambda t: 2 * t - 0.95, rng)
    assert (
        solve(LinearOperator(A.shape, A.__matmul__, dtype=A.dtype), 2, which="LA", rng=rng).method
        == "lanczos"
    )


def test_a_callback_sees_states_of_both(rng):
    seen = []
    rnla.eigsh(
        dense(900, lambda t: 2 * t - 0.95, rng), 2, which="LA", rng=rng, callback=seen.append
    )
    assert len(seen) > 2
    assert seen[-1].certified


def test_a_callback_may_stop_it(rng):
    def stop(state):
        raise StopIteration

    with pytest.raises(rnla.eigen.EigenNoConvergence):
        rnla.eigsh(dense(900, lambda t: 2 * t - 0.95, rng), 2, which="LA", rng=rng, callback=stop)


def late_at(errors, steps, tolerance=1e-10):
    """Return after how many steps a search with these errors is given up, None if it is not."""
    search = SimpleNamespace(steps=0, tolerance=tolerance, k=1, plan=SimpleNamespace(block=4))
    outlook = Outlook(search, steps)
    for step, error in enumerate(errors, start=1):
        search.steps = step
        if outlook._is_late(error):
            return step
    return None


def test_the_rate_decides():
    steps = np.arange(1, 101)
    # Thirty steps are needed: LAPACK takes as long as a hundred, or as twenty.
    assert late_at(10.0 ** (-steps / 3), 100) is None
    assert late_at(10.0 ** (-steps / 3), 20) == 4
    # Errors that begin to fall late fall faster and faster.
    assert late_at(10.0 ** (-((steps / 12) ** 2)), 100) is None
    # One that never falls is given up when a rate should be seen.
    assert late_at(np.full(100, 1e-2), 100) == 20


def test_found_pairs_may_be_verified_for_a_while():
    assert late_at(np.full(300, 1e-12), 100) == 201


def test_a_second_search_looks_seldom_only_where_looks_are_dear():
    for size, stride in ((20, 1), (400, 2), (2000, 2)):
        looks = Looks(1e-10, 0)
        looks.schedule(10, 1e-12, size, 1e6, soon=True)
        assert looks.next == 10 + stride
