"""Partial decompositions that are wrong: the suite must reject every one."""

import numpy as np

from rnla.eigen._svds_krylov import Triplets, TripletState


def by_gram_matrix(A, k):
    """Eigenpairs of ``A^H A``: singular values below the root of roundoff are lost."""
    squares, V = np.linalg.eigh(A.conj().T @ A)
    sigma = np.sqrt(np.maximum(squares[-k:], 0))
    V = V[:, -k:]
    return A @ V / np.maximum(sigma, 1e-300), sigma, V.conj().T


def one_vector_unverified(A, k):
    """Golub-Kahan from one vector, until the residuals say that k triplets have converged."""
    m, n = A.shape
    rng = np.random.default_rng(0)
    v = rng.standard_normal(n)
    V, U = (v / np.linalg.norm(v))[:, None], np.empty((m, 0))
    while True:
        u = A @ V[:, -1]
        for _ in range(2):
            u = u - U @ (U.T @ u)
        U = np.column_stack([U, u / np.linalg.norm(u)])
        P, sigma, QH = np.linalg.svd(U.T @ A @ V)
        z = A.T @ U[:, -1]
        for _ in range(2):
            z = z - V @ (V.T @ z)
        rest = np.linalg.norm(z)
        if len(sigma) >= k and (rest * np.abs(P[-1, :k])).max() <= 1e-10 * sigma[0]:
            return U @ P[:, k - 1 :: -1], sigma[k - 1 :: -1], (V @ QH[:k].T)[:, ::-1].T
        V = np.column_stack([V, z / rest])


def sketch_alone(A, k):
    """The smallest triplets of a sketch, never corrected."""
    S = np.random.default_rng(0).standard_normal((4 * A.shape[1], len(A))) / np.sqrt(4 * A.shape[1])
    V = np.linalg.svd(S @ A)[2][-1 : -k - 1 : -1].conj().T
    U, sigma, QH = np.linalg.svd(A @ V, full_matrices=False)
    return U[:, ::-1], sigma[::-1], (V @ QH.conj().T)[:, ::-1].conj().T


def left_by_division(A, k):
    """The smallest triplets with ``u = A v / ||A v||``: for a null vector v that is rounding."""
    V = np.linalg.svd(A)[2][-1 : -k - 1 : -1].conj().T
    W = A @ V
    sigma = np.linalg.norm(W, axis=0)
    return W / sigma, sigma, V.conj().T


def unjudged(basis, aim, block, *, searched):
    """In place of `golub_kahan`: what the start has found is the answer, whatever its residuals."""
    ritz, k = basis.ritz(aim.largest), aim.k
    yield TripletState(
        n_iter=0,
        error=0.0,
        certified=True,
        form=lambda: basis.V @ ritz.Q[:, :k],
        form_rest=lambda X: Triplets(basis.U @ ritz.P[:, :k], ritz.sigma[:k], X, None),
        sigma=ritz.sigma[:k],
        residuals=np.zeros(k),
        verified=True,
        norm=basis.norm,
    )
