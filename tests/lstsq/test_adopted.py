"""Preconditioners that somebody else made."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.linalg import solve_triangular
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import lstsq_refine
from rnla.lstsq import backward_error
from rnla.testing import lstsq_problem

N = 30


def inverse_factor(A, precision=None):
    R = np.linalg.qr(A.astype(precision or A.dtype), mode="r")
    return np.linalg.inv(R.astype(np.result_type(A, np.float64)))


def assert_solves(A, b, result):
    assert result.success
    assert backward_error(A, b, result.x) <= 10 * EPS


@pytest.fixture(params=[1e2, 1e5])
def problem(request, rng):
    return lstsq_problem(1500, N, condition=request.param, residual=0.1, rng=rng)[:2]


def by_substitution(A):
    R = np.linalg.qr(A, mode="r")
    return LinearOperator(
        (N, N),
        matvec=lambda y: solve_triangular(R, y),
        rmatvec=lambda g: solve_triangular(R, g, trans="C"),
        dtype=A.dtype,
    )


MAPS = {
    "inverse of a factor in single precision": lambda A: inverse_factor(A, np.float32),
    "times 1e30": lambda A: 1e30 * inverse_factor(A),
    "times 1e-30": lambda A: 1e-30 * inverse_factor(A),
    "times a rotation": lambda A: inverse_factor(A) @ np.linalg.qr(A[:N])[0],
    "substitution": by_substitution,
    "sparse": lambda A: scipy.sparse.csr_array(inverse_factor(A)),
    "nested lists": lambda A: inverse_factor(A).tolist(),
    "half of the rows": lambda A: inverse_factor(A[::2]) / np.sqrt(2),
}


@pytest.mark.parametrize("kind", list(MAPS))
@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array, aslinearoperator])
def test_solves_to_roundoff(form, kind, problem):
    A, b = problem
    M = MAPS[kind](A)
    if kind == "nested lists":
        M = np.array(M)
    result = lstsq_refine(form(A), b, preconditioner=M)
    assert result.method == "spir"
    assert result.success
    assert_solves(A, b, result)
    # No sketch was drawn, so there is nothing random.
    again = lstsq_refine(form(A), b, preconditioner=M, rng=1)
    np.testing.assert_array_equal(result.x, again.x)


@pytest.mark.parametrize("method", ["spir", "fossils", "sirr", "iterative_sketching"])
def test_methods(method, problem):
    A, b = problem
    result = lstsq_refine(A, b, method=method, preconditioner=inverse_factor(A))
    assert result.method == method
    reference = np.linalg.lstsq(A, b)[0]
    assert np.linalg.norm(result.x - reference) <= 1e4 * EPS * 1e5 * np.linalg.norm(reference)


def test_complex_and_wide(rng):
    A = gaussian(400, N, rng, np.complex128) * np.logspace(0, -3, N)
    b = gaussian(400, 1, rng, np.complex128)[:, 0]
    result = lstsq_refine(A, b, preconditioner=inverse_factor(A))
    assert_solves(A, b, result)
    wide, c = np.ascontiguousarray(A.conj().T), b[:N]
    # It belongs to A.T, which is not the adjoint.
    found = lstsq_refine(wide, c, method="spir", preconditioner=inverse_factor(wide.T))
    assert found.success
    expected = np.linalg.lstsq(wide, c)[0]
    np.testing.assert_allclose(found.x, expected, atol=1e-9 * np.linalg.norm(expected))


@pytest.mark.parametrize("seed", range(20))
def test_an_exact_factor_leaves_lanczos_nothing_to_do(seed):
    rng = np.random.default_rng(seed)
    A = gaussian(400, N, rng, np.complex128) * np.logspace(0, -3, N)
    result = lstsq_refine(A, A[:, 0], preconditioner=inverse_factor(A))
    assert result.success


def test_one_that_does_not_precondition_is_refused(problem):
    A, b = problem
    scaled = A @ np.diag(np.logspace(0, -5, N))
    for M in (np.eye(N), np.diag(1 / np.linalg.norm(scaled, axis=0))):
        with pytest.raises(ValueError, match="`preconditioner` leaves a condition number"):
            lstsq_refine(A @ np.diag(np.logspace(0, -5, N)), b, preconditioner=M)


def test_one_bad_direction_is_seen(rng):
    """The spectrum of ``A M`` is 1 but for one value in a random direction."""
    A = gaussian(2000, 100, rng, np.float64)
    M = inverse_factor(A)
    u = rng.standard_normal((100, 1))
    u /= np.linalg.norm(u)
    for value in (1e-3, 1e3):
        with pytest.raises(ValueError, match="leaves a condition number of at least"):
            lstsq_refine(A, A[:, 0], preconditioner=M @ (np.eye(100) + (value - 1) * u @ u.T))


@pytest.mark.parametrize(
    ("M", "error", "message"),
    [
        (np.zeros((N, N)), ValueError, "leaves a condition number of at least inf"),
        (np.diag(np.arange(N, dtype=float)), ValueError, "leaves a condition number"),
        (np.eye(N)[:, :4], ValueError, r"must have shape \(30, 30\)"),
        (np.ones(N), ValueError, "must have shape"),
        (np.full((N, N), np.nan), ValueError, "`preconditioner` must not contain NaN"),
        (1j * np.eye(N), TypeError, "must be real for a real `A`"),
        ("ilu", TypeError, "`preconditioner` must come from"),
    ],
)
def test_what_is_no_preconditioner(M, error, message, problem):
    with pytest.raises(error, match=message):
        lstsq_refine(*problem, preconditioner=M)
