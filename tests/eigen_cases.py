"""Matrices with known eigenvalues that single-vector Lanczos gets wrong, and what "right" means."""

from dataclasses import dataclass
from itertools import product
from math import comb

import numpy as np
import scipy.sparse

EPS = np.finfo(float).eps


@dataclass(frozen=True)
class Case:
    """A spectrum, the number of eigenvalues asked for, and which."""

    name: str
    spectrum: np.ndarray
    k: int
    which: str = "LA"
    matrix: object = None

    def __str__(self):
        return self.name

    @property
    def wanted(self):
        """The eigenvalues that have to be found, ascending."""
        d = np.sort(self.spectrum)
        if self.which == "LA":
            return d[-self.k :]
        if self.which == "SA":
            return d[: self.k]
        if self.which == "BE":
            low = self.k // 2
            return np.concatenate([d[:low], d[low - self.k :]])
        return np.sort(d[np.argsort(-np.abs(d), kind="stable")[: self.k]])

    def build(self, rng, dtype=float):
        """The matrix: as given, or the spectrum in random orthonormal vectors."""
        if self.matrix is not None:
            return self.matrix
        return hermitian(self.spectrum, rng, dtype)


def hermitian(spectrum, rng, dtype=float):
    n = len(spectrum)
    X = rng.standard_normal((n, n))
    if np.dtype(dtype).kind == "c":
        X = X + 1j * rng.standard_normal((n, n))
    Q = np.linalg.qr(X)[0]
    A = (Q * spectrum) @ Q.conj().T
    return ((A + A.conj().T) / 2).astype(dtype)


def path_laplacian(n):
    return 2 - 2 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1))


def square_laplacian(n):
    T = scipy.sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n))
    eye = scipy.sparse.eye_array(n)
    A = scipy.sparse.kron(T, eye) + scipy.sparse.kron(eye, T)
    d = path_laplacian(n)
    return A.tocsr(), np.add.outer(d, d).ravel()


def cycle(n):
    i = np.arange(n)
    A = scipy.sparse.csr_array((np.ones(n), (i, (i + 1) % n)), shape=(n, n))
    return (A + A.T).tocsr(), 2 * np.cos(2 * np.pi * i / n)


def hypercube(d):
    points = np.array(list(product([0, 1], repeat=d)))
    A = (np.abs(points[:, None] - points).sum(axis=2) == 1).astype(float)
    spectrum = np.concatenate([np.full(comb(d, j), d - 2.0 * j) for j in range(d + 1)])
    return scipy.sparse.csr_array(A), spectrum


def complete(n):
    return np.ones((n, n)) - np.eye(n), np.concatenate([[n - 1.0], np.full(n - 1, -1.0)])


def _six(n):
    return np.concatenate([np.ones(6), np.linspace(0, 0.9, n - 6)])


def _steps(n):
    i = np.arange(n - 7)
    return np.concatenate([np.ones(4), np.full(3, 0.5), 0.5 * np.exp(-(i + 1) / 30)])


def _octet(n):
    # The top of a stiffness matrix: a triple within 7e-5 of itself among eight.
    top = [1.0, 0.99, 0.981, 0.97, 0.97 - 3e-5, 0.97 - 7e-5, 0.955, 0.95]
    return np.concatenate([top, np.linspace(0, 0.94, n - 8)])


def _clusters(n):
    one, two = 1 - 1e-6 * np.arange(5), 0.9 - 1e-6 * np.arange(5)
    return np.concatenate([one, two, np.linspace(0, 0.8, n - 10)])


def _multiple(n, copies):
    return np.concatenate([np.ones(copies), np.linspace(-0.5, 0.85, n - copies)])


def misconvergence(n=300):
    """The suite: exact and near multiplicities, below, at and above any block size."""
    grid, grid_spectrum = square_laplacian(17)
    ring, ring_spectrum = cycle(n)
    cube, cube_spectrum = hypercube(8)
    graph, graph_spectrum = complete(n)
    six = _six(n)
    return [
        Case("six-fold, k=6", six, 6),
        Case("six-fold, k=8", six, 8),
        Case("six-fold at the bottom", -six, 6, "SA"),
        Case("six-fold, by magnitude", six * np.where(np.arange(n) % 2, 1, -1), 6, "LM"),
        Case("six-fold, both ends", np.concatenate([six[: n // 2], -six[: n - n // 2]]), 8, "BE"),
        Case("steps", _steps(n), 7),
        Case("octet", _octet(n), 8),
        Case("two clusters, k between", _clusters(n), 7),
        Case("more copies than asked for", _multiple(n, 9), 6),
        Case("twelve-fold", _multiple(n, 12), 12),
        Case("square grid", grid_spectrum, 7, "LA", grid),
        Case("ring", ring_spectrum, 5, "LA", ring),
        Case("hypercube", cube_spectrum, 12, "LA", cube),
        Case("complete graph", graph_spectrum, 4, "LM", graph),
    ]


def wrong_set(case, values, tol):
    """Tell whether a wanted eigenvalue is missing: one is farther off than `tol` allows."""
    scale = np.abs(case.spectrum).max()
    return bool(np.abs(np.sort(values) - case.wanted).max() > (2 * tol + 1e-11) * scale)


def orthonormality(X, M=None):
    return np.abs(X.conj().T @ (X if M is None else M @ X) - np.eye(X.shape[1])).max()


def residuals(A, w, X, M=None):
    return np.linalg.norm(A @ X - (X if M is None else M @ X) * w, axis=0)


def block_diagonal(spectrum, rng, dtype=float, size=8):
    """A sparse matrix with these eigenvalues, in random order and random small blocks."""
    spectrum = rng.permutation(spectrum)
    blocks = [
        scipy.sparse.csr_array(hermitian(spectrum[i : i + size], rng, dtype))
        for i in range(0, len(spectrum), size)
    ]
    order = rng.permutation(len(spectrum))
    return scipy.sparse.block_diag(blocks, format="csr")[order][:, order]
