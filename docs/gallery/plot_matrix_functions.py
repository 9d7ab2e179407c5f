"""
A whole curve of traces from one run
====================================

The partition function of a quantum spin chain, for all temperatures at once, and the density of its
energies. Both come from products of the Hamiltonian with blocks of vectors.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import csr_array, diags_array

import rnla

# %%
# A chain with a known answer
# ---------------------------
#
# The Ising ring in a transverse field of one. Its spectrum is that of free fermions, so that the
# energies are sums over subsets; the matrix does not know.

spins = 12
states = np.arange(2**spins)
ring = (states >> 1) | ((states & 1) << (spins - 1))
broken = np.array([bin(x).count("1") for x in states ^ ring])
columns = np.concatenate([states ^ (1 << j) for j in range(spins)])
flips = csr_array((np.full(len(columns), -1.0), (np.tile(states, spins), columns)))
H = (diags_array(2.0 * broken - spins) + flips).tocsr()
bound = 2.0 * spins  # no energy is below -bound


def fermions(k, sign):
    """Energies with an even number of fermions, sign 1, or with an odd one."""
    eps = 2 * np.sqrt(np.maximum(2 + 2 * np.cos(k), 0))
    if sign < 0:
        eps[0], eps[spins // 2] = -4, 0
    sums, parity = np.array([-eps.sum() / 2]), np.array([1])
    for one in eps:
        sums, parity = np.append(sums, sums + one), np.append(parity, -parity)
    return sums[parity == sign]


energies = np.append(
    fermions(np.arange(1 - spins, spins, 2) * np.pi / spins, 1),
    fermions(np.arange(-spins // 2, spins // 2) * 2 * np.pi / spins, -1),
)

# %%
# One run, many functions
# -----------------------
#
# The products are made for one temperature. ``estimate.quadrature`` then gives all others.

estimate = rnla.trace_function(lambda x: np.exp(-(x + bound)), H, 640, rng=0)
betas = np.logspace(-2, 1, 60)
errors, bars = [], []
for beta in betas:
    Z = estimate.quadrature.trace(lambda x, beta=beta: np.exp(-beta * (x + bound)))
    exact = np.exp(-beta * (energies + bound)).sum()
    errors.append(abs(Z.value - exact) / exact)
    bars.append(Z.radius() / exact)

fig, ax = plt.subplots()
ax.loglog(betas, errors, marker=".", label="error")
ax.loglog(betas, bars, label="half of the 95 % interval")
ax.set(
    xlabel="inverse temperature",
    ylabel="relative",
    title=f"Partition function from {estimate.n_matvec} products",
)
ax.legend()
fig.tight_layout()

# %%
# At low temperature a few states carry the sum, and the Krylov space has captured them. At high
# temperature all states count the same, and vectors of one length see no variance in that.
# In between the samples decide, and the interval says how well.
#
# The density of the energies
# ---------------------------

fig, ax = plt.subplots()
density = rnla.spectral_density(H, 480, rng=0)
ax.hist(energies, bins=120, density=True, color="0.85", label="all energies")
ax.plot(density.points, density.value, label="spectral_density")
radius = density.radius()
ax.fill_between(density.points, density.value - radius, density.value + radius, alpha=0.3)
ax.set(xlabel="energy", ylabel="density", title=f"Width {density.width:.2f}")
ax.legend()
fig.tight_layout()

plt.show()
