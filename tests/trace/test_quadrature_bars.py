"""Error bars of quadratures that have not seen where the function is large."""

import numpy as np
import pytest
import scipy.sparse
from function_cases import assert_coverage

from rnla import trace_function
from rnla.trace._rules import extrapolated

FUNCTIONS = {"log": np.log, "inverse": lambda x: 1 / x, "square root": np.sqrt}


def eigenvalues(spectrum, n, condition=1e6):
    i = np.arange(1.0, n + 1)
    return {
        "geometric": np.geomspace(1 / condition, 1, n),
        "power": (i / n) ** 4 + 1 / condition,
        "decay": i**-2 + 1 / condition,
    }[spectrum]


@pytest.mark.parametrize("method", ["krylov_aware", "slq"])
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("spectrum", ["geometric", "power", "decay"])
@pytest.mark.parametrize(
    ("n", "budgets", "seeds"),
    [
        (1000, (60, 150), 5),
        pytest.param(2500, (60, 100, 150, 300), 40, marks=pytest.mark.slow),
    ],
)
def test_small_budgets_for_ill_conditioned_matrices(method, function, spectrum, n, budgets, seeds):
    f, values = FUNCTIONS[function], eigenvalues(spectrum, n)
    A = scipy.sparse.diags_array(values).tocsr()
    options = {"method": method, "test_vectors": "auto" if method == "krylov_aware" else "sphere"}
    for matvecs in budgets:

        def run(seed, matvecs=matvecs):
            return trace_function(f, A, matvecs, rng=seed, **options)

        assert_coverage(run, f(values).sum(), seeds)


def test_the_bar_tells_that_nothing_is_known():
    """Of the trace of the inverse, all is in eigenvalues that 60 products do not reach."""
    values = eigenvalues("geometric", 2500)
    estimate = trace_function(lambda x: 1 / x, scipy.sparse.diags_array(values), 60, rng=0)
    assert estimate.value < 0.1 * (1 / values).sum() < 0.1 * estimate.bias


@pytest.mark.parametrize("options", [{"matvecs": 60}, {"rtol": 0.1}, {"rtol": 1e-3}])
def test_a_large_eigenvalue_that_samples_do_not_meet(options):
    """As of the Estrada index of a network: the space knows how much of it was not captured."""
    values = np.append(np.linspace(-8, 8, 2999), 30.0)
    A = scipy.sparse.diags_array(values).tocsr()
    exact = np.exp(values - 30).sum()

    def run(seed):
        return trace_function(lambda x: np.exp(x - 30), A, rng=seed, **options)

    assert_coverage(run, exact, 12)
    assert run(0).radius() < 0.1


@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.5, 1.0, 1.7, 2.5, 4.0])
def test_what_is_extrapolated_is_the_sum_of_a_geometric_series(ratio):
    doublings = 5
    left = sum(ratio**j for j in range(1, doublings + 1))
    error = extrapolated(np.array(1.0), np.array(1 / ratio), doublings=doublings)
    # Where changes neither fall nor grow, the last doublings are taken to be of no account.
    assert (0.3 if ratio == 1 else 0.75) * left <= error <= 2 * left


def test_rounding_does_not_grow():
    change = np.array(1e-16)
    assert extrapolated(change, change / 4, doublings=20, noise=1e-12) == 2 * change
    assert extrapolated(np.zeros(3), np.zeros(3), doublings=20).max() == 0
    assert extrapolated(np.array(1e-300), np.array(1e300), doublings=9) == 0
