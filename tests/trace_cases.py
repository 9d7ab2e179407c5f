"""Matrices for the tests of `rnla.trace`, and the definitions its algebra abbreviates."""

import numpy as np

SPECTRA = {
    "flat": lambda n: np.linspace(1, 3, n),
    "poly": lambda n: np.arange(1.0, n + 1) ** -2,
    "slowexp": lambda n: 0.9 ** np.arange(n),
    "exp": lambda n: 0.7 ** np.arange(n),
    "step": lambda n: np.where(np.arange(n) < 50, 1.0, 1e-3),
    "bigstep": lambda n: np.where(np.arange(n) < 50, 1.0, 1e-8),
}


def unitary(rng, n, dtype=np.float64):
    """A Haar-distributed matrix."""
    G = rng.standard_normal((n, n))
    if np.dtype(dtype).kind == "c":
        G = G + 1j * rng.standard_normal((n, n))
    Q, R = np.linalg.qr(G)
    d = np.diagonal(R)
    return (Q * (d / abs(d))).astype(dtype)


def hermitian(rng, eigenvalues, dtype=np.float64):
    """A matrix with these eigenvalues."""
    Q = unitary(rng, len(eigenvalues), dtype)
    A = (Q * np.asarray(eigenvalues)) @ Q.conj().T
    return (0.5 * (A + A.conj().T)).astype(dtype)


def general(rng, n, dtype=np.float64, decay=0.8):
    """A matrix without symmetry, its singular values falling."""
    values = decay ** np.arange(n) + 0.01
    return (unitary(rng, n, dtype) * values @ unitary(rng, n, dtype)).astype(dtype)


def orthonormal(Y, tolerance=1e-12):
    """A basis of the range, by SVD."""
    U, sigma, _ = np.linalg.svd(Y, full_matrices=False)
    return U[:, sigma > tolerance * max(sigma.max(initial=0.0), 1e-300)]


def quadratic(x, A):
    return x.conj() @ A @ x


def sphere_factor(x, dimension):
    return dimension / np.vdot(x, x).real if dimension > 0 else 0.0


def naive_xtrace(A, Omega, resphere):
    """Form a new basis for every vector that is left out."""
    n, k = Omega.shape
    samples = []
    for i in range(k):
        Q = orthonormal(A @ np.delete(Omega, i, axis=1))
        x = Omega[:, i] - Q @ (Q.conj().T @ Omega[:, i])
        factor = sphere_factor(x, n - Q.shape[1]) if resphere else 1.0
        samples.append(np.trace(Q.conj().T @ A @ Q) + factor * quadratic(x, A))
    return np.array(samples)


def nystrom(A, Omega):
    Y = A @ Omega
    return Y @ np.linalg.pinv(Omega.conj().T @ Y, rcond=1e-13, hermitian=True) @ Y.conj().T


def naive_xnystrace(A, Omega, resphere):
    """Form a new Nyström approximation for every vector that is left out."""
    n, s = Omega.shape
    samples = []
    for i in range(s):
        others, w = np.delete(Omega, i, axis=1), Omega[:, i]
        N = nystrom(A, others)
        factor = 1.0
        if resphere:
            Q = orthonormal(others)
            x = w - Q @ (Q.conj().T @ w)
            factor = sphere_factor(x, n - s + 1)
        samples.append((np.trace(N) + factor * quadratic(w, A - N)).real)
    return np.array(samples)


def naive_jackknife(naive, A, Omega, resphere):
    """The jackknife's standard error, from estimates without each of the vectors."""
    k = Omega.shape[1]
    if k == 1:
        return np.inf
    means = [naive(A, np.delete(Omega, j, axis=1), resphere).mean() for j in range(k)]
    return np.sqrt((k - 1) / k * np.sum(abs(means - np.mean(means)) ** 2))


def naive_xdiag(A, Omega):
    """One diagonal for every vector that is left out, as rows."""
    rows = []
    for i in range(Omega.shape[1]):
        Q = orthonormal(A @ np.delete(Omega, i, axis=1))
        w = Omega[:, i]
        low = Q @ (Q.conj().T @ A)
        rows.append(np.diagonal(low) + w.conj() * ((A - low) @ w))
    return np.array(rows)


def naive_xnysdiag(A, Omega):
    """One diagonal for every vector that is left out, as rows."""
    rows = []
    for i in range(Omega.shape[1]):
        N, w = nystrom(A, np.delete(Omega, i, axis=1)), Omega[:, i]
        rows.append(np.diagonal(N) + w.conj() * ((A - N) @ w))
    return np.array(rows)


def naive_xrownorm(A, Omega):
    """Squared row norms for every vector that is left out, as rows."""
    rows = []
    for i in range(Omega.shape[1]):
        Q = orthonormal(A.conj().T @ (A @ np.delete(Omega, i, axis=1)))
        w = Omega[:, i]
        x = w - Q @ (Q.conj().T @ w)
        rows.append(np.sum(abs(A @ Q) ** 2, axis=1) + abs(A @ x) ** 2)
    return np.array(rows)
