"""
Eigenvalues that are not missed
===============================

A Krylov space from one vector sees one copy of a multiple eigenvalue. This example looks for the
eight largest eigenvalues of a matrix in which 1 is six-fold, and then follows one eigenvector
through a sequence of matrices.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse.linalg

import rnla
from rnla.testing import haar

rng = np.random.default_rng(3)

# %%
# Six copies of one eigenvalue
# ----------------------------
#
# With a tolerance of 1e-8 ARPACK stops when its residuals are small, and they are: it has found
# eigenpairs, only not the ones asked for.

n, k = 300, 8
spectrum = np.concatenate([np.ones(6), np.linspace(0.9, 0, n - 6)])
Q = haar(n, n, rng=rng)
A = (Q * spectrum) @ Q.T
A = (A + A.T) / 2

arpack = scipy.sparse.linalg.eigsh(A, k, which="LA", tol=1e-8, v0=rng.standard_normal(n))[0]
result = rnla.eigen.solve(A, k, which="LA", tol=1e-8, method="lanczos", rng=rng)

fig, ax = plt.subplots()
place = np.arange(k)
ax.plot(place, np.sort(spectrum)[-k:], "_", markersize=24, color="0.6", label="exact")
ax.plot(place, arpack, "x", label="scipy.sparse.linalg.eigsh")
ax.plot(place, result.values, ".", label="rnla.eigsh")
ax.set(xlabel="ascending", ylabel="eigenvalue", title="the eight largest of 300")
ax.legend()
fig.tight_layout()

# %%
# The history shows the second search: when the error has reached the tolerance, a random block
# orthogonal to the pairs found brings what was missing, and the iteration goes on.

fig, ax = plt.subplots()
ax.semilogy(result.history, marker=".")
ax.axhline(1e-8, color="0.6", linestyle="--", label="tol")
ax.set(xlabel="look at the Ritz values", ylabel="largest residual, relative")
ax.legend()
fig.tight_layout()

# %%
# A sequence of related matrices
# ------------------------------
#
# Each result carries a surrogate, a low-rank approximation of its matrix. It corrects the residuals
# of the next one, so that a few products suffice.

A = (Q * np.exp(-np.arange(n) / 20)) @ Q.T
plain, reused = [], []
result = rnla.eigen.solve(A, 1, which="LA", tol=1e-6, method="lanczos", rng=rng)
for _ in range(12):
    E = rng.standard_normal((n, n))
    A = A + 1e-3 * (E + E.T) / np.linalg.norm(E + E.T, 2)
    anew = rnla.eigen.solve(
        A, 1, which="LA", tol=1e-6, method="lanczos", v0=result.vectors, verify=False, rng=rng
    )
    result = rnla.eigen.solve(
        A, 1, which="LA", tol=1e-6, v0=result.vectors, surrogate=result, verify=False, rng=rng
    )
    plain.append(anew.n_matvec)
    reused.append(result.n_matvec)

fig, ax = plt.subplots()
ax.plot(plain, marker=".", label="from the last eigenvector")
ax.plot(reused, marker=".", label="and the last surrogate")
ax.set(xlabel="matrix", ylabel="products with A", ylim=(0, None))
ax.legend()
fig.tight_layout()
