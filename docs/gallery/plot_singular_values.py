"""
Copies that are missed, and the small end of the spectrum
=========================================================

Two things that go wrong with partial decompositions, and what :func:`rnla.svds` does about them.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse
from scipy.sparse.linalg import svds as scipy_svds

import rnla
from rnla.sketch import SparseSign
from rnla.testing import haar

# %%
# Six equal singular values
# -------------------------
#
# The largest singular value has six copies, and eight values are wanted. A Krylov space from one
# vector holds one copy. The others enter through rounding errors, if they come in time.

n = 300
sigma = np.r_[np.ones(6), np.linspace(0.9, 0, n - 6)]
A = scipy.sparse.diags_array(sigma).tocsr()
tolerances = [0, 1e-5, 1e-4, 1e-3]
seeds = 10


def is_wrong(solve, tol, seed):
    """Whether one of the eight values is not what it should be."""
    s = solve(A, k=8, tol=tol, return_singular_vectors=False, rng=np.random.default_rng(seed))
    return bool(np.abs(np.sort(s)[::-1] - sigma[:8]).max() > 1e-8)


wrong = {
    name: [sum(is_wrong(solve, tol, seed) for seed in range(seeds)) for tol in tolerances]
    for name, solve in (("scipy", scipy_svds), ("rnla", rnla.svds))
}
print(wrong)

# %%
# The smallest singular values of a tall matrix
# ---------------------------------------------
#
# A sketch is close to B in every direction up to a factor. The smallest singular values of the
# sketch are therefore off by that factor, whatever the sketch. What it is good for is the
# correction: each step below multiplies B by a few columns and its transpose by a few more.

m, n, k = 5_000, 80, 4
B = (haar(m, n, rng=0) * np.logspace(0, -8, n)) @ haar(n, n, rng=1).T
exact = np.logspace(0, -8, n)[::-1][:k]
sketched = np.linalg.svd(SparseSign.draw(12 * n, m, rng=2) @ B, compute_uv=False)[::-1][:k]
_, s, _ = rnla.svds(B, k, which="SM", solver="sketched", rng=2)

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
width = 0.4
places = np.arange(len(tolerances))
left.bar(places - width / 2, wrong["scipy"], width, label="scipy.sparse.linalg.svds")
left.bar(places + width / 2, wrong["rnla"], width, label="rnla.svds")
left.set_xticks(places, [f"{tol:g}" for tol in tolerances])
left.set(xlabel="tol", ylabel=f"wrong, of {seeds} runs", title="Eight values, six of them equal")
left.legend()
floor = np.finfo(float).eps
right.semilogy(np.abs(sketched - exact) / exact, "o", label="of the sketch")
right.semilogy(np.maximum(np.abs(s - exact) / exact, floor), "s", label="rnla.svds")
right.set_xticks(range(k), [f"{value:.0e}" for value in exact])
right.set(xlabel="singular value", ylabel="relative error", title="Condition 1e8, four smallest")
right.legend()
fig.tight_layout()

# %%
# Roundoff of the norm of B, 1e-16, is 1e-8 of the smallest value: no method that starts from the
# entries of B can promise more digits of it.

print(np.abs(s - exact) / exact)

plt.show()
