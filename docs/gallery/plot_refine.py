"""
Any approximate solver, refined
===============================

A solver that is right to one digit becomes right to all of them if it is given the residual of
its own answer, again and again. This example refines single-precision factors, incomplete
factors and a regression, and a nonlinear equation.
"""

import warnings
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import lu_factor
from scipy.sparse import csc_array, diags_array, eye_array, kron
from scipy.sparse.linalg import spilu, splu
from sklearn.linear_model import Ridge

import rnla
from rnla.testing import haar

rng = np.random.default_rng(5)


def draw(ax, result, label):
    """Draw the certificate of every correction."""
    history = np.where(result.history > 0, result.history, np.nan)
    ax.semilogy(history, marker=".", label=f"{label}: contraction {result.contraction:.1e}")


# %%
# Single-precision factors
# ------------------------
#
# The factors know the matrix to seven digits, so each step gains seven digits less those that the
# condition number takes. All end at the epsilon of double precision.

n = 200
fig, ax = plt.subplots()
for condition in (1e2, 1e4, 1e6):
    A = haar(n, n, rng=rng) * np.geomspace(1, 1 / condition, n) @ haar(n, n, rng=rng)
    result = rnla.refine(A, rng.standard_normal(n), lu_factor(A.astype(np.float32)))
    draw(ax, result, f"condition {condition:.0e}")
ax.axhline(np.finfo(float).eps, color="0.6", linestyle="--", label="machine epsilon")
ax.set(xlabel="correction", ylabel="backward error", title="float32 LU")
ax.legend()
fig.tight_layout()

# %%
# Incomplete factors
# ------------------
#
# For the Laplacian of a square the incomplete factors contract by themselves. As a
# preconditioner of flexible GMRES they need fewer than half the steps, and Anderson's method, which
# for a linear equation is close to GMRES, does as well.

line = diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(30, 30))
A = csc_array(kron(line, eye_array(30)) + kron(eye_array(30), line))
b = rng.standard_normal(900)
incomplete = spilu(A, drop_tol=1e-2)
fig, ax = plt.subplots()
for acceleration in (None, "anderson", "krylov"):
    result = rnla.refine(A, b, incomplete, acceleration=acceleration)
    draw(ax, result, str(acceleration))
ax.set(xlabel="correction", ylabel="backward error", title="Incomplete LU")
ax.legend()
fig.tight_layout()

# %%
# A regression
# ------------
#
# Nobody factorizes anything here: a ridge regression has seen pairs of right-hand sides and
# solutions. The fewer it has seen, the slower the refinement. With fewer examples than unknowns
# there are directions of which it knows nothing; the iteration stands still, and a warning says so.

n = 40
A = np.eye(n) + 0.5 * rng.standard_normal((n, n)) / np.sqrt(n)
b = rng.standard_normal(n)
fig, ax = plt.subplots()
for count in (30, 80, 640):
    X = rng.standard_normal((count, n))
    model = Ridge(alpha=1.0).fit(X @ A.T, X)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", rnla.ConvergenceWarning)
        result = rnla.refine(A, b, model)
    draw(ax, result, f"{count} examples" + (", warned" if caught else ""))
ax.set(xlabel="correction", ylabel="backward error", title="A fitted regression")
ax.legend()
fig.tight_layout()

# %%
# A nonlinear equation
# --------------------
#
# :math:`-u'' + s u^3 = f`, with the inverse of the Laplacian as the approximate solver. The
# certificate is the relative residual, whose floor is set by the rounding of the differences.

n = 99
laplacian = (n + 1) ** 2 * diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n))
inverse = splu(csc_array(laplacian))
u = np.sin(np.pi * np.linspace(0, 1, n + 2)[1:-1])
fig, ax = plt.subplots()
for strength in (2.0, 3.0):
    F = partial(lambda strength, v: laplacian @ v + strength * v**3, strength)
    for acceleration in (None, "anderson"):
        result = rnla.refine(F, F(u), inverse, acceleration=acceleration)
        draw(ax, result, f"s = {strength:.0f}, {acceleration}")
ax.set(xlabel="correction", ylabel="relative residual", title="Defect correction")
ax.legend()
fig.tight_layout()
plt.show()
