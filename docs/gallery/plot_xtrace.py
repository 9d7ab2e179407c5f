"""
Every test vector in both roles
===============================

Four estimators of a trace on three spectra, for more and more products. The better the low-rank
approximation behind an estimator, the smaller what is left to chance.
"""

import matplotlib.pyplot as plt
import numpy as np

import rnla
from rnla.trace import Hutchinson

n, trials = 1000, 10
budgets = [20, 60, 100, 150, 200, 300]
spectra = {
    "polynomial, $i^{-2}$": np.arange(1.0, n + 1) ** -2,
    "exponential, $0.7^i$": 0.7 ** np.arange(n),
    "step to $10^{-3}$ after 50": np.where(np.arange(n) < 50, 1.0, 1e-3),
}

# %%
# Gaussian test vectors look the same from every basis. So a diagonal matrix stands for all matrices
# with its eigenvalues, and products are cheap. Signs would not do here: they have no error at all
# for a diagonal matrix.

methods = {
    "Hutchinson": Hutchinson(test_vectors="gaussian"),
    "Hutch++": "hutchpp",
    "XTrace": "xtrace",
    "XNysTrace": "xnystrace",
}


def error(d, products, method):
    """Mean relative error over the trials."""
    values = [
        rnla.trace(
            lambda X: d[:, None] * X, products, shape=n, assume="psd", method=method, rng=seed
        ).value
        for seed in range(trials)
    ]
    return np.mean(np.abs(np.array(values) / d.sum() - 1))


fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), sharex=True)
for ax, (title, d) in zip(axes, spectra.items(), strict=True):
    for label, method in methods.items():
        ax.semilogy(budgets, [error(d, s, method) for s in budgets], marker=".", label=label)
    ax.set(title=title, xlabel="products with A")
axes[0].set_ylabel("relative error of the trace")
axes[0].legend()
fig.tight_layout()

# %%
# The error bar comes with the estimate. Here it is beside the error, for the polynomial spectrum:

d = spectra["polynomial, $i^{-2}$"]
for products in budgets[1:]:
    estimate = rnla.trace(lambda X: d[:, None] * X, products, shape=n, assume="psd", rng=0)
    off = abs(estimate.value - d.sum())
    print(f"{products:4d} products: error {off:.1e}, standard error {estimate.stderr:.1e}")

plt.show()
