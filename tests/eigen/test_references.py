"""No call leaves reference cycles behind: what it held is freed at once, not by the collector."""

import contextlib
import gc
import weakref

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import rnla
from rnla.eigen import _engine, solve


@pytest.fixture
def uncollected():
    """The cyclic collector is off: only reference counts free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Diagonal(LinearOperator):
    def __init__(self, d):
        self.d = d
        super().__init__(d.dtype, (len(d), len(d)))

    def _matvec(self, x):
        return self.d * x.ravel()

    def _matmat(self, X):
        return self.d[:, None] * X


N = 150
D, MASS = np.arange(1.0, N + 1), np.linspace(1, 2, N)


def _calls():
    A, M = np.diag(D), np.diag(MASS)
    sparse = scipy.sparse.csr_array
    yield "dense", lambda: {"A": A}
    yield "sparse", lambda: {"A": sparse(A), "which": "LA"}
    yield "operator", lambda: {"A": Diagonal(D)}
    yield "M", lambda: {"A": sparse(A), "M": sparse(M)}
    yield "Minv", lambda: {"A": Diagonal(D), "M": Diagonal(MASS), "Minv": Diagonal(1 / MASS)}
    yield "SM", lambda: {"A": sparse(A), "which": "SM"}
    yield "sigma, LU", lambda: {"A": A, "sigma": 2.4}
    yield "sigma, sparse LU", lambda: {"A": sparse(A), "M": sparse(M), "sigma": 2.4}
    yield "sigma, operators", lambda: {"A": Diagonal(D), "M": Diagonal(MASS), "sigma": 2.4}
    yield "OPinv", lambda: {
        "A": Diagonal(D), "M": Diagonal(MASS), "sigma": 2.4, "OPinv": Diagonal(1 / (D - 2.4 * MASS))
    }  # fmt: skip
    yield "buckling", lambda: {"A": sparse(A), "M": sparse(M), "sigma": 2.4, "mode": "buckling"}
    yield "cayley", lambda: {"A": A, "M": M, "sigma": 2.4, "mode": "cayley"}
    yield "sketch", lambda: {"A": A, "sketch_size": 20}
    yield "callback", lambda: {"A": sparse(A), "callback": lambda state: None}


CALLS = dict(_calls())


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("method", ["auto", "lanczos"])
def test_everything_is_freed_by_its_count(name, method, monkeypatch, uncollected):
    problems = []
    made = _engine.spectral_problem

    def spectral_problem(request):
        problem, selection = made(request)
        problems.extend(weakref.ref(each) for each in (request, problem, problem.main))
        return problem, selection

    monkeypatch.setattr(_engine, "spectral_problem", spectral_problem)
    arguments = CALLS[name]()
    operators = [
        weakref.ref(each) for each in arguments.values() if isinstance(each, LinearOperator)
    ]
    w, X = rnla.eigsh(k=3, method=method, rng=0, **arguments)
    result = solve(k=3, method=method, rng=0, **arguments)
    vectors = weakref.ref(X), weakref.ref(result.vectors)
    assert len(w) == 3
    if method == "lanczos":
        assert problems
    del X, result, w
    assert [each() for each in (*problems, *vectors)] == [None] * (len(problems) + 2)
    del arguments
    assert [each() for each in operators] == [None] * len(operators)


def test_large_operators_that_take_an_inner_iteration(uncollected):
    A = Diagonal(np.concatenate([[-0.1, 0.2], np.linspace(1, 2, 2098)]))
    held = weakref.ref(A)
    w = rnla.eigsh(A, 2, sigma=0.04, tol=1e-8, rng=0, return_eigenvectors=False)
    np.testing.assert_allclose(w, [-0.1, 0.2], rtol=1e-8)
    del A
    assert held() is None


def test_a_call_that_fails_lets_go_as_well(uncollected):
    A = aslinearoperator(scipy.sparse.diags_array(np.linspace(0, 1, 600)))
    held = weakref.ref(A)
    with contextlib.suppress(rnla.eigen.EigenNoConvergence):
        rnla.eigsh(A, 3, which="SA", ncv=8, maxiter=2, rng=0)
        pytest.fail("two fillings of eight vectors were enough")
    del A
    assert held() is None
