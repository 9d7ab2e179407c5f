"""The algebra of the leave-one-out estimators against their definitions."""

import numpy as np
import pytest
from trace_cases import (
    general,
    hermitian,
    naive_jackknife,
    naive_xdiag,
    naive_xnysdiag,
    naive_xnystrace,
    naive_xrownorm,
    naive_xtrace,
)

from rnla.trace._basis import Basis
from rnla.trace._diagonal import xdiag_average, xnysdiag_average
from rnla.trace._row_norms import xrownorm_average
from rnla.trace._vectors import VectorStream
from rnla.trace._xnystrace import nystrom_samples
from rnla.trace._xtrace import xtrace_samples

N = 24
DTYPES = [np.float64, np.complex128]
COUNTS = [1, 2, 3, 5, 8, 12, 13, 20, 23, 24]
EPS = np.finfo(float).eps


def xtrace(A, Omega, resphere, cuts=()):
    basis = Basis(len(A), A.dtype)
    for part in np.split(Omega, list(cuts), axis=1):
        basis.extend(A @ part)
    return xtrace_samples(Omega, basis.Q, basis.R, A @ basis.Q, resphere=resphere, eps=EPS)


def agree(samples, expected, scale=1.0):
    return np.max(abs(samples - expected)) <= 1e-10 * scale * np.max(abs(expected))


def cancellation(A, Omega):
    """How much resphering enlarges rounding errors: it divides by what is left of a vector."""
    worst = 1.0
    for i, omega in enumerate(Omega.T):
        Q = np.linalg.qr(np.delete(A @ Omega, i, axis=1))[0]
        left = np.linalg.norm(omega - Q @ (Q.conj().T @ omega))
        worst = max(worst, (np.linalg.norm(omega) / left) ** 2)
    return worst


@pytest.mark.parametrize("k", COUNTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("resphere", [False, True])
def test_xtrace(k, dtype, resphere, rng):
    A = general(rng, N, dtype)
    Omega = VectorStream.draw(N, "gaussian", dtype, rng).columns(0, k)
    expected = naive_xtrace(A, Omega, resphere)
    found = xtrace(A, Omega, resphere)
    # With as many vectors as rows one of them may be all but spanned by the others.
    scale = max(1.0, cancellation(A, Omega) / 1e3) if resphere and k == N else 1.0
    assert agree(found.samples, expected, scale)
    spread = naive_jackknife(naive_xtrace, A, Omega, resphere)
    assert found.jackknife == pytest.approx(spread, rel=1e-9, abs=1e-11)
    # The basis grown in pieces, as by a run with a tolerance.
    assert agree(xtrace(A, Omega, resphere, cuts=(k // 3, k // 2)).samples, expected, scale)


@pytest.mark.parametrize("k", COUNTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("resphere", [False, True])
@pytest.mark.parametrize("semidefinite", [True, False])
def test_xnystrace_and_xsymtrace(k, dtype, resphere, semidefinite, rng):
    eigenvalues = 0.8 ** np.arange(N) + 0.01
    if not semidefinite:
        # Definite is what "may be indefinite" includes; the next test has both signs.
        eigenvalues = -eigenvalues
    A = hermitian(rng, eigenvalues, dtype)
    Omega = VectorStream.draw(N, "gaussian", dtype, rng).columns(0, k)
    found = nystrom_samples(Omega, A @ Omega, resphere=resphere, semidefinite=semidefinite)
    assert agree(found.samples, naive_xnystrace(A, Omega, resphere))
    spread = naive_jackknife(naive_xnystrace, A, Omega, resphere)
    assert found.jackknife == pytest.approx(spread, rel=1e-8, abs=1e-11)


@pytest.mark.parametrize("k", [1, 2, 5, 12, 23])
@pytest.mark.parametrize("dtype", DTYPES)
def test_xsymtrace_of_an_indefinite_matrix(k, dtype, rng):
    A = hermitian(rng, np.linspace(-2, 3, N) ** 3, dtype)
    Omega = VectorStream.draw(N, "gaussian", dtype, rng).columns(0, k)
    found = nystrom_samples(Omega, A @ Omega, resphere=True, semidefinite=False)
    H = Omega.conj().T @ A @ Omega
    smallest = min(
        abs(np.linalg.eigvalsh(np.delete(np.delete(H, i, 0), i, 1))).min(initial=np.inf)
        for i in range(k)
    )
    # An eigenvalue near zero of what is left over costs as many digits.
    assert agree(found.samples, naive_xnystrace(A, Omega, True), max(1.0, 1e2 / smallest))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("resphere", [False, True])
@pytest.mark.parametrize("rank", [0, 1, 3, 5])
def test_low_rank(dtype, resphere, rank, rng):
    k = 9
    values = np.where(np.arange(N) < rank, 1.0 + np.arange(N), 0.0)
    A = hermitian(rng, values, dtype)
    Omega = VectorStream.draw(N, "gaussian", dtype, rng).columns(0, k)
    found = xtrace(A, Omega, resphere)
    assert found.rank == rank
    assert abs(found.samples - values.sum()).max() <= 1e-12 * max(values.sum(), 1)
    found = nystrom_samples(Omega, A @ Omega, resphere=resphere, semidefinite=True)
    assert found.rank == rank
    assert abs(found.samples - values.sum()).max() <= 1e-12 * max(values.sum(), 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_repeated_test_vectors(dtype, rng):
    """Signs repeat for small n: a column that others span is not missed by the sketch."""
    Omega = rng.choice([-1.0, 1.0], (N, 7)).astype(dtype)
    Omega[:, 4] = -Omega[:, 1]
    A = general(rng, N, dtype)
    found = xtrace(A, Omega, False)
    assert found.rank == 6
    assert agree(found.samples, naive_xtrace(A, Omega, False))
    B = hermitian(rng, 0.8 ** np.arange(N) + 0.01, dtype)
    for semidefinite in (True, False):
        found = nystrom_samples(Omega, B @ Omega, resphere=False, semidefinite=semidefinite)
        assert agree(found.samples, naive_xnystrace(B, Omega, False))


@pytest.mark.parametrize("k", COUNTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_diagonals_and_row_norms(k, dtype, rng):
    kind = "steinhaus" if dtype is np.complex128 else "gaussian"
    Omega = VectorStream.draw(N, kind, dtype, rng).columns(0, k)
    A = general(rng, N, dtype)
    basis = Basis(N, A.dtype)
    basis.extend(A @ Omega)
    mean, stderr = xdiag_average(Omega, basis.Q, basis.R, A.conj().T @ basis.Q)
    check_average(mean, stderr, naive_xdiag, A, Omega)

    B = hermitian(rng, 0.8 ** np.arange(N) + 0.01, dtype)
    mean, stderr = xnysdiag_average(Omega, B @ Omega)
    check_average(mean, stderr, lambda *a: naive_xnysdiag(*a).real, B, Omega)
    if k < N:
        # The same approximations: the diagonal adds up to the trace.
        found = nystrom_samples(Omega, B @ Omega, resphere=False, semidefinite=True)
        assert mean.sum() == pytest.approx(found.samples.mean(), rel=1e-12)

    C = A[: N - 5]
    basis = Basis(N, C.dtype)
    basis.extend(C.conj().T @ (C @ Omega))
    mean, stderr = xrownorm_average(Omega, C @ Omega, basis.Q, basis.R, C @ basis.Q)
    check_average(mean, stderr, naive_xrownorm, C, Omega)


def check_average(mean, stderr, naive, A, Omega):
    rows = naive(A, Omega)
    k = len(rows)
    assert agree(mean, rows.mean(axis=0))
    if k < 3:
        assert np.all(np.isinf(stderr))
        return
    spread = rows.std(axis=0, ddof=1) / np.sqrt(k)
    without = [naive(A, np.delete(Omega, j, axis=1)).mean(axis=0) for j in range(k)]
    jackknife = np.std(without, axis=0) * np.sqrt(k - 1)
    # Squares, for the roots of rounding errors are larger.
    scale = np.max(abs(rows)) ** 2
    assert np.max(abs(stderr**2 - spread * jackknife)) <= 1e-10 * scale
