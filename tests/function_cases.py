"""Matrices whose functions have a known trace, and the laws that estimates of it obey."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def toeplitz(n, a=2.0, b=1.0):
    """``B^T B`` for the bidiagonal Toeplitz matrix B, and its log-determinant."""
    B = scipy.sparse.diags_array([a, b], offsets=[0, 1], shape=(n, n))
    return scipy.sparse.csr_array(B.T @ B), 2 * n * np.log(a)


def laplacian(k, scale=1.0):
    """The Laplacian of a k x k grid, and its eigenvalues."""
    L = scipy.sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(k, k))
    mu = 4 * np.sin(np.arange(1, k + 1) * np.pi / (2 * k + 2)) ** 2
    A = scipy.sparse.kronsum(L, L, format="csr")
    return scipy.sparse.csr_array(scale * A), scale * (mu + mu[:, None]).ravel()


def ising(spins, field=1.0):
    """The transverse-field Ising Hamiltonian of a ring."""
    states = np.arange(2**spins)
    ring = (states >> 1) | ((states & 1) << (spins - 1))
    unequal = np.array([bin(x).count("1") for x in states ^ ring])
    diagonal = 2.0 * unequal - spins
    rows = np.tile(states, spins)
    columns = np.concatenate([states ^ (1 << j) for j in range(spins)])
    flips = scipy.sparse.csr_array((np.full(len(rows), -field), (rows, columns)))
    return scipy.sparse.csr_array(scipy.sparse.diags_array(diagonal) + flips)


def ising_log_partition(spins, beta, field=1.0):
    """``log tr exp(-beta H)`` from the free-fermion spectrum; `spins` is even.

    Energies are ``-sum(eps) / 2`` plus the sum of eps over an even subset in one sector and an odd
    subset in the other.
    """
    even = np.arange(1 - spins, spins, 2) * np.pi / spins
    odd = np.arange(-spins // 2, spins // 2) * 2 * np.pi / spins
    logs = []
    for k, sign in ((even, 1), (odd, -1)):
        eps = 2 * np.sqrt(np.maximum(1 + field**2 + 2 * field * np.cos(k), 0))
        if sign < 0:
            eps[0], eps[spins // 2] = -2 * (1 + field), 2 * (1 - field)
        whole = np.sum(np.log1p(np.exp(-beta * eps)))
        alternating = np.prod(np.tanh(beta * eps / 2))
        logs.append(beta * eps.sum() / 2 + whole + np.log((1 + sign * alternating) / 2))
    return np.logaddexp(*logs)


def with_spectrum(eigenvalues, rng, dtype=np.float64):
    """A dense Hermitian matrix with given eigenvalues and random eigenvectors."""
    n = len(eigenvalues)
    X = rng.standard_normal((n, n))
    if np.dtype(dtype).kind == "c":
        X = X + 1j * rng.standard_normal((n, n))
    Q = np.linalg.qr(X)[0]
    A = (Q * eigenvalues) @ Q.conj().T
    return ((A + A.conj().T) / 2).astype(dtype)


def graph(name):
    """An adjacency matrix from the data folder; skipped where that is absent."""
    path = DATA / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"no {path.name} beside the repository")
    return scipy.sparse.csr_array(scipy.sparse.load_npz(path).astype(np.float64))


def assert_covered(estimate, exact, slack=2.0):
    """The error is within twice the half-width of the 95 % interval, and that is not vacuous."""
    radius = float(estimate.radius())
    assert np.isfinite(radius)
    assert abs(estimate.value - exact) <= slack * radius + 1e-14 * abs(exact)


def coverage(run, exact, seeds):
    """The fraction of seeds whose 95 % interval holds the exact value."""
    hits = 0
    for seed in range(seeds):
        low, high = run(seed).confidence_interval()
        hits += bool(low <= exact <= high)
    return hits / seeds


def assert_coverage(run, exact, seeds):
    """At 95 % nominal no less than 90 % cover, up to 2.5 standard deviations of that count."""
    found = coverage(run, exact, seeds)
    assert found >= 0.9 - 2.5 * np.sqrt(0.09 / seeds)


def assert_unbiased(samples, exact):
    """The mean of samples is the exact value up to 4.5 standard errors."""
    m = len(samples)
    error = abs(np.mean(samples) - exact)
    assert m >= 200
    assert error <= 4.5 * np.std(samples, ddof=1) / np.sqrt(m) + 1e-10 * abs(exact)
