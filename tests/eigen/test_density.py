"""How many eigenvalues lie beyond a number: against spectra that are known."""

import eigen_cases as cases
import numpy as np
import pytest

from rnla.eigen._density import spectral_density
from rnla.eigen._problem import Standard
from rnla.eigen._select import Selection
from rnla.linalg.block import SparseBlock

N = 4000


def spectra():
    i = np.arange(N)
    return {
        "flat": np.linspace(-1, 1, N),
        "arcsine": np.cos(np.pi * (i + 0.5) / N),
        "spikes": np.concatenate([np.linspace(3, 2, 60), np.linspace(-0.9, 1, N - 60)]),
        "power law": 30 / (1.0 + i) ** 0.5 * (-1.0) ** i,
    }


@pytest.mark.parametrize("which", ["LA", "SA", "LM"])
@pytest.mark.parametrize("name", sorted(spectra()))
def test_the_edge_of_a_known_spectrum(name, which, rng):
    spectrum = spectra()[name]
    problem = Standard(SparseBlock(cases.block_diagonal(spectrum, rng)), 0.0, float)
    keys = {"LA": spectrum, "SA": -spectrum, "LM": np.abs(spectrum)}[which]
    for count in (12, 40, 150):
        ratios = []
        for _ in range(20):
            density = spectral_density(problem, Selection(which, 10), rng)
            edge = density.edge(count) * (-1 if which == "SA" else 1)
            ratios.append((keys > edge).sum() / count)
        # Too many where ten steps do not resolve a sharp end, which costs time alone. But never
        # less than half as many: what is sought must not be hidden.
        assert min(ratios) > 0.4
        if name == "power law":
            assert abs(np.mean(ratios) - 1) < 0.25


def test_counts_add_up_to_the_order(rng):
    problem = Standard(SparseBlock(cases.block_diagonal(spectra()["flat"], rng)), 0.0, float)
    density = spectral_density(problem, Selection("LA", 10), rng)
    assert density.counts.sum() == pytest.approx(N)
    assert problem.main.n_matvec == 40


@pytest.mark.parametrize("n", [1, 3, 7, 40])
def test_small_matrices_are_resolved(n, rng):
    spectrum = np.arange(n, 0.0, -1.0)
    problem = Standard(SparseBlock(cases.block_diagonal(spectrum, rng)), 0.0, float)
    density = spectral_density(problem, Selection("LA", 1), rng)
    np.testing.assert_allclose(density.ritz.theta[0], n, rtol=1e-2)
    assert density.noise < 1e-12 * n
