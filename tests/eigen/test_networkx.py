"""networkx as a client, with our eigsh in the place of SciPy's."""

import numpy as np
import pytest
import scipy.sparse.linalg

import rnla

nx = pytest.importorskip("networkx")


@pytest.fixture
def both(monkeypatch):
    """Run something with SciPy's eigsh and with ours; count that ours was called."""

    def run(call):
        theirs = call()
        calls = []

        def eigsh(*args, **kwargs):
            calls.append(args)
            return rnla.eigsh(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(scipy.sparse.linalg, "eigsh", eigsh)
            ours = call()
        assert calls
        return theirs, ours

    return run


@pytest.fixture(scope="module")
def grid():
    # Sides of different lengths, so that the vectors of the smallest eigenvalues are unique.
    return nx.convert_node_labels_to_integers(nx.grid_2d_graph(31, 17))


def assert_same_up_to_sign(X, Y, tolerance):
    X, Y = X.reshape(len(X), -1), Y.reshape(len(Y), -1)
    signs = np.sign((X * Y).sum(axis=0))
    assert np.abs(X - Y * signs).max() <= tolerance * np.abs(X).max()


def test_fiedler_vector(both, grid):
    def call():
        return nx.fiedler_vector(grid, method="lanczos", tol=1e-12)

    assert_same_up_to_sign(*both(call), 1e-8)


@pytest.mark.parametrize("normalized", [False, True])
def test_algebraic_connectivity(both, grid, normalized):
    def call():
        return nx.algebraic_connectivity(grid, normalized=normalized, method="lanczos", tol=1e-12)

    theirs, ours = both(call)
    assert abs(theirs - ours) <= 1e-12
    if not normalized:
        assert abs(ours - (2 - 2 * np.cos(np.pi / 31))) <= 1e-12


def test_spectral_ordering(both, grid):
    def call():
        return nx.spectral_ordering(grid, method="lanczos", tol=1e-12)

    theirs, ours = both(call)
    # Nodes in a line across the grid have equal entries; what is ordered are the lines.
    column = np.arange(len(theirs)) // 17
    lines = [[node // 17 for node in order] for order in (theirs, ours)]
    assert lines[1] in (lines[0], lines[0][::-1])
    assert sorted(lines[1]) == column.tolist()


def test_spectral_layout(both, grid):
    def call():
        positions = nx.spectral_layout(grid)
        return np.array([positions[node] for node in grid])

    assert len(grid) > 500, "smaller graphs are laid out by dense eigenvalues"
    assert_same_up_to_sign(*both(call), 1e-8)
