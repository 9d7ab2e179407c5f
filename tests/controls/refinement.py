"""Refinements that are wrong: the suite must reject every one.

Each takes ``(A, b, B, x0)`` with B a function and looks right on some problems.
"""

import numpy as np

STEPS = 30


def unrefined(A, b, B, x0):
    """Return what the approximate solver says."""
    return B(b)


def residual_in_single_precision(A, b, B, x0):
    """Form the residual in the precision of the factor."""
    x, A32, b32 = x0.copy(), A.astype(np.float32), b.astype(np.float32)
    for _ in range(STEPS):
        x = x + B(b32 - A32 @ x.astype(np.float32))
    return x


def gradient_from_products(A, b, B, x0):
    """Correct with ``A^H b - (A^H A) x``, where products with the residual belong."""
    x, c, G = x0.copy(), A.conj().T @ b, A.conj().T @ A
    adjoint = np.array([B(e) for e in np.eye(len(b))])
    for _ in range(STEPS):
        x = x + B(adjoint.conj() @ (c - G @ x))
    return x


def residual_by_recursion(A, b, B, x0):
    """Update ``r <- r - A dx`` and never look at the equation again."""
    x, r = x0.copy(), b - A @ x0
    for _ in range(STEPS):
        step = B(r)
        x, r = x + step, r - A @ step
    return x


def difference_of_answers(A, b, B, x0):
    """Correct with ``B(b) - B(A x)``: the same for exact B, but B rounds before they cancel."""
    x = x0.copy()
    for _ in range(STEPS):
        x = x + (B(b) - B(A @ x))
    return x


SOLVERS = [
    unrefined,
    residual_in_single_precision,
    gradient_from_products,
    residual_by_recursion,
    difference_of_answers,
]
