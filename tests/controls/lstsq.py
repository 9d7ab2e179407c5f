"""Least-squares solvers and certificates that are wrong: the suite must reject every one.

Each looks right on easy problems.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve, qr, solve_triangular
from scipy.sparse.linalg import LinearOperator, lsqr

from rnla.sketch import SparseSign

EPS = np.finfo(np.float64).eps


def normal_equations(A, b, rng):
    """Solve ``A^H A x = A^H b``: the condition number is squared."""
    return np.linalg.solve(A.conj().T @ A, A.conj().T @ b)


def normal_equations_cholesky(A, b, rng):
    """Do the same by Cholesky, shifted until it exists."""
    G = A.conj().T @ A
    shift = 0.0
    while True:
        try:
            factor = cho_factor(G + shift * np.eye(len(G)))
        except np.linalg.LinAlgError:
            shift = max(10 * shift, EPS * np.trace(G).real)
        else:
            return cho_solve(factor, A.conj().T @ b)


def sketch_factor(A, rng, factor=6):
    """Return the triangular factor of a sketch and the sketch."""
    m, n = A.shape
    S = SparseSign.draw(factor * n, m, rng=rng)
    return qr(S @ A, mode="economic"), S


def cold_sketch_and_precondition(A, b, rng):
    """Run LSQR on ``A R^-1`` from zero to its end: stable for easy problems only."""
    (_, R), _ = sketch_factor(A, rng)
    M = LinearOperator(
        A.shape,
        matvec=lambda y: A @ solve_triangular(R, y.ravel()),
        rmatvec=lambda z: solve_triangular(R, A.conj().T @ z.ravel(), trans="C"),
        dtype=A.dtype,
    )
    y = lsqr(M, b, atol=0, btol=0, conlim=0, iter_lim=100)[0]
    return solve_triangular(R, y)


def gradient_from_products(A, b, rng):
    """Iterate with the gradient ``A^H b - A^H (A x)``, which never forms the residual.

    Otherwise it is iterative sketching with momentum from a sketch-and-solve start.
    """
    (Q, R), S = sketch_factor(A, rng, factor=12)
    momentum = 1 / 12
    x = before = solve_triangular(R, Q.conj().T @ (S @ b))
    c = A.conj().T @ b
    for _ in range(60):
        gradient = c - A.conj().T @ (A @ x)
        step = solve_triangular(R, solve_triangular(R, gradient, trans="C"))
        x, before = x + (1 - momentum) ** 2 * step + momentum * (x - before), x
    return x


def sketch_and_solve(A, b, rng):
    """Return the solution of the sketched problem: its residual is a factor too large."""
    (Q, R), S = sketch_factor(A, rng)
    return solve_triangular(R, Q.conj().T @ (S @ b))


SOLVERS = [
    normal_equations,
    normal_equations_cholesky,
    cold_sketch_and_precondition,
    gradient_from_products,
    sketch_and_solve,
]


def certificate_without_root(A, b, x):
    """Estimate with ``(A^H A + nu^2 I)^-1`` where its square root belongs."""
    r = b - A @ x
    nu = np.linalg.norm(r) / np.linalg.norm(x)
    _, sigma, VH = np.linalg.svd(A, full_matrices=False)
    g = VH @ (A.conj().T @ r)
    return np.linalg.norm(g / (sigma**2 + nu**2)) / np.linalg.norm(x) / np.linalg.norm(sigma)


def certificate_without_matrix(A, b, x):
    """Estimate from gradient and residual alone, as LSQR's stopping test does."""
    r = b - A @ x
    return np.linalg.norm(A.conj().T @ r) / np.linalg.norm(r) / np.linalg.norm(A)


def certificate_without_projector(A, b, x):
    """Leave out ``I - q q^H``: ``min(phi, sigma_min([A, phi I]))`` is always phi."""
    r = b - A @ x
    phi = np.linalg.norm(r) / np.linalg.norm(x)
    stacked = np.hstack([A, phi * np.eye(len(A))])
    return min(phi, np.linalg.svd(stacked, compute_uv=False)[-1]) / np.linalg.norm(A)


CERTIFICATES = [
    certificate_without_root,
    certificate_without_matrix,
    certificate_without_projector,
]


def _row_factor(A, rng, factor=5):
    """Return the triangular factor of a sketch of the tall ``A^H``."""
    m, n = A.shape
    S = SparseSign.draw(factor * m, n, rng=rng)
    return qr(S @ A.conj().T, mode="economic")[1]


def _multipliers(A, r, R):
    """Solve ``A A^H y = r`` by many steps of CG with the factor R on both sides."""

    def apply(w):
        return solve_triangular(R, A @ (A.conj().T @ solve_triangular(R, w)), trans="C")

    rhs = solve_triangular(R, r, trans="C")
    w, residual = np.zeros_like(rhs), rhs
    z, rho = residual, np.vdot(residual, residual).real
    for _ in range(60):
        H = apply(z)
        step = rho / (np.vdot(z, H).real or 1.0)
        w, residual = w + step * z, residual - step * H
        rho, before = np.vdot(residual, residual).real, rho
        z = residual + rho / (before or 1.0) * z
    return solve_triangular(R, w)


def minimum_norm_without_refinement(A, b, rng):
    """Solve once: the residual is as large as eps times the condition number."""
    return A.conj().T @ _multipliers(A, b, _row_factor(A, rng))


def minimum_norm_without_damping(A, b, rng):
    """Refine, but with undamped corrections: the noise of the residual is rounded again."""
    R = _row_factor(A, rng)
    x = np.zeros(A.shape[1], A.dtype)
    for _ in range(5):
        x = x + A.conj().T @ _multipliers(A, b - A @ x, R)
    return x


def minimum_norm_off_the_row_space(A, b, rng):
    """Take LAPACK's solution and add a millionth of it in the null space."""
    x = np.linalg.lstsq(A, b)[0]
    e = np.random.default_rng(rng).standard_normal(len(x))
    Q = np.linalg.qr(A.conj().T)[0]
    e = e - Q @ (Q.conj().T @ e)
    return x + 1e-6 * np.linalg.norm(x) / np.linalg.norm(e) * e


MINIMUM_NORM = [
    minimum_norm_without_refinement,
    minimum_norm_without_damping,
    minimum_norm_off_the_row_space,
]
