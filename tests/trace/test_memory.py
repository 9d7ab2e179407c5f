"""What estimators take beside A: 3 n s words for s products, and a few s^2 where s is near n."""

import tracemalloc

import numpy as np
import pytest

import rnla

TRACES = ["hutchinson", "hutchpp", "na_hutchpp", "xtrace", "xnystrace", "xsymtrace"]
DIAGONALS = ["bks", "udiagpp", "xdiag", "xnysdiag"]
# Square, for what is not small beside s; and what the callable itself gets, makes and returns.
SIZES = [(20_000, 40), (1500, 300), (1200, 900)]
BLOCK = 8


def words(run, dtype=np.float64):
    """The peak of a second run, and its result."""
    # On one thread: a second one that is late lets go of its arrays late.
    with rnla.limit_threads(1):
        run()
        tracemalloc.start()
        estimate = run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak / np.dtype(dtype).itemsize, estimate


def problem(n, dtype=np.float64):
    d = np.arange(1.0, n + 1) ** -1.5

    def product(X):
        return d[:, None] * X

    return product, {"shape": n, "dtype": dtype, "block": BLOCK, "rng": 0}


def allowed(n, s, square):
    return 3 * n * s + square * s * s + 4 * n * BLOCK


@pytest.mark.parametrize("method", TRACES)
@pytest.mark.parametrize(("n", "s"), SIZES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_traces(method, n, s, dtype):
    if dtype is np.complex128:
        n, s = n // 2, s // 2
    product, options = problem(n, dtype)
    peak, estimate = words(
        lambda: rnla.trace(product, s, method=method, assume="psd", **options), dtype
    )
    assert estimate.n_matvec == s
    assert peak <= allowed(n, s, 5)


@pytest.mark.parametrize("method", DIAGONALS)
@pytest.mark.parametrize(("n", "s"), SIZES)
def test_diagonals(method, n, s):
    product, options = problem(n)
    peak, estimate = words(
        lambda: rnla.diag(product, s, method=method, assume="psd", adjoint=product, **options)
    )
    assert estimate.n_matvec == s
    # The value, its error and its moments are vectors, too.
    assert peak <= allowed(n, s, 7) + 8 * n


@pytest.mark.parametrize("method", ["xrownorm", "hutchinson"])
@pytest.mark.parametrize(("n", "s"), SIZES)
def test_row_norms(method, n, s):
    product, options = problem(n)
    peak, _ = words(lambda: rnla.row_norms(product, s, method=method, adjoint=product, **options))
    assert peak <= 2 * n * s + 2 * s * s + (4 * BLOCK + 8) * n


RUNS = {"hutchinson": 0.01, "xtrace": 1e-3, "xnystrace": 1e-3, "xsymtrace": 1e-3, "a_hutchpp": 4e-3}


@pytest.mark.parametrize("method", RUNS)
def test_runs_that_grow(method):
    """Sketches of one round are gone when the next, larger ones are made."""
    n = 10_000
    product, options = problem(n)
    options |= {"method": method, "assume": "psd", "rtol": RUNS[method]}
    peak, estimate = words(lambda: rnla.trace(product, **options))
    assert estimate.n_matvec > 80 or method == "hutchinson"
    assert peak <= allowed(n, estimate.n_matvec, 5)


@pytest.mark.parametrize("method", ["xdiag", "xnysdiag"])
def test_diagonals_that_grow(method):
    n = 10_000
    product, options = problem(n)
    options |= {"method": method, "assume": "psd", "adjoint": product, "rtol": 2e-3}
    peak, estimate = words(lambda: rnla.diag(product, **options))
    assert estimate.n_matvec > 80
    assert peak <= allowed(n, estimate.n_matvec, 7) + 8 * n


@pytest.mark.parametrize("block", [8, 64])
def test_block_bounds_what_nothing_is_kept_of(block):
    n = 10_000
    product, options = problem(n)
    options["block"] = block
    peak, _ = words(lambda: rnla.trace(product, 200, method="hutchinson", **options))
    # Test vectors, the callable's copy of them, what it returns and a copy of that.
    assert peak <= (4 * block + 2) * n
    peak, _ = words(lambda: rnla.diag(product, 200, method="bks", **options))
    assert peak <= (5 * block + 6) * n


def test_arrays_are_multiplied_in_blocks_of_one_width():
    """Bits of a column of a product depend on its width, so `block` has no say there."""
    n = 1500
    A = np.diag(np.arange(1.0, n + 1) ** -1.5)
    for run in (
        lambda: rnla.trace(A, 1000, method="hutchinson", block=8, rng=0),
        lambda: rnla.diag(A, 1000, method="bks", block=8, rng=0),
    ):
        assert words(run)[0] <= (5 * 96 + 6) * n
