"""Graphs for the eigenvalue benchmarks: real ones where they lie beside the checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def power_law_graph(n: int, degree: float, rng: np.random.Generator) -> Any:
    """Return a directed graph whose expected degrees follow a power law (Chung and Lu)."""
    weights = (np.arange(n) + 10.0) ** -0.6
    weights /= weights.sum()
    edges = int(degree * n)
    out, into = rng.choice(n, edges, p=weights), rng.choice(n, edges, p=weights[::-1])
    A = scipy.sparse.csr_array((np.ones(edges), (out, into)), shape=(n, n))
    A.data[:] = 1.0
    return A


def load(name: str, folder: Path, quick: bool) -> tuple[str, Any]:
    """Return a title and the matrix; a synthetic graph where the data are absent."""
    path = folder / f"{name}.npz"
    if path.exists() and not quick:
        A = scipy.sparse.csr_array(scipy.sparse.load_npz(path)).astype(np.float64)
        return f"{name}, {A.shape[0]} x {A.shape[1]}", A
    n = 1000 if quick else 20_000
    return f"power-law graph with {n} nodes in place of {name}", power_law_graph(
        n, 10, np.random.default_rng(0)
    )
