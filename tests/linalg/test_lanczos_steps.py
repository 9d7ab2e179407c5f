"""Several Lanczos steps in one call of a kernel: those that are made one by one."""

import threading

import numpy as np
import pytest
import scipy.sparse

import rnla
from rnla._core import threads
from rnla._core.threads import run_parts
from rnla._kernels import lanczos_turns as turns
from rnla.linalg import lanczos_steps as module
from rnla.linalg.expansion import expanded
from rnla.linalg.lanczos_steps import Chain, lanczos_steps


def symmetric(n, rng, dtype=np.float64, density=0.01):
    A = scipy.sparse.random_array((n, n), density=density, rng=rng, format="csr")
    hub = scipy.sparse.csr_array(np.eye(n, 1) @ rng.standard_normal((1, n)))
    return scipy.sparse.csr_array(A + A.T + hub + hub.T).astype(dtype)


def begun(A, capacity, size, rng):
    """A store with so many Lanczos vectors, in full digits."""
    V = np.zeros((capacity, A.shape[0]), A.dtype)
    w = rng.standard_normal(A.shape[0])
    for j in range(size):
        for _ in range(2):
            w = w - V[:j].T.astype(float) @ (V[:j].astype(float) @ w)
        V[j] = w / np.linalg.norm(w)
        w = A @ V[j].astype(float)
    return V


@pytest.fixture
def shared_out(monkeypatch):
    """Many parts, which pay for threads that give way at once."""
    monkeypatch.setattr(module, "_INLINE", 0)
    monkeypatch.setattr(module, "_PART_ROWS", 40)
    monkeypatch.setattr(threads, "LOOKS", 3)
    monkeypatch.setattr(threads, "_PAUSE", 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("parts", [1, 7])
@pytest.mark.parametrize("size", [2, 3, 9])
def test_the_steps_one_by_one(dtype, parts, size, monkeypatch, rng):
    monkeypatch.setattr(module, "_PART_ROWS", 900 // parts)
    A = symmetric(900, rng, dtype)
    eps = float(np.finfo(dtype).eps)
    V = begun(A, 40, size, rng)
    found = lanczos_steps([A], V, size, 12, 10 * eps)
    assert found.H.shape == (12, size + 11)
    norm = scipy.sparse.linalg.norm(A.astype(float))
    for step in range(12):
        m = size + step
        one = expanded((A @ V[m - 1])[:, None], V[:m].T, m - 2, 10 * eps)
        H = one.H.copy()
        H[m - 2 :] += one.near
        assert np.abs(found.H[step, :m] - H[:, 0]).max() < 30 * eps * norm
        assert not found.H[step, m:].any()
        assert one.block is not None
        if step < 11:
            shorter = np.linalg.norm(one.remainder) / norm
            assert np.abs(V[m] - one.block[:, 0]).max() < 30 * eps / shorter
    assert found.leak <= 30 * eps * norm
    assert np.abs(found.block - one.block).max() < 30 * eps / shorter
    assert np.abs(found.remainder - one.remainder).max() < 30 * eps * norm
    assert found.length == pytest.approx(one.length, rel=30 * eps)
    basis = np.vstack([V[: size + 11], found.block.T]).astype(float)
    assert np.abs(basis @ basis.T - np.eye(size + 12)).max() < 10 * eps


@pytest.mark.usefixtures("shared_out")
def test_the_same_bits_for_every_number_of_threads(rng):
    A = symmetric(700, rng)
    V = begun(A, 60, 2, rng)
    results = []
    for number in (1, 2, 3, 8):
        with rnla.limit_threads(number):
            for _ in range(8):
                U = V.copy()
                found = lanczos_steps([A], U, 2, 40, 1e-15)
                assert found.block is not None
                results.append((U, found.H, found.remainder, found.block))
    for result in results[1:]:
        for one, other in zip(results[0], result, strict=True):
            np.testing.assert_array_equal(one, other)
    basis = results[0][0][:41]
    assert np.abs(basis @ basis.T - np.eye(41)).max() < 1e-14


@pytest.mark.usefixtures("shared_out")
def test_on_threads_of_the_pool_and_of_the_caller(rng):
    A = symmetric(300, rng)
    V = begun(A, 30, 3, rng)
    expected = lanczos_steps([A], V.copy(), 3, 20, 1e-15).H
    found = []

    def task(_):
        found.append(lanczos_steps([A], V.copy(), 3, 20, 1e-15).H)

    with rnla.limit_threads(3):
        run_parts(task, [(i,) for i in range(5)])
        callers = [threading.Thread(target=task, args=(i,)) for i in range(5)]
        for each in callers:
            each.start()
        for each in callers:
            each.join()
    assert len(found) == 10
    for each in found:
        np.testing.assert_array_equal(each, expected)


@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.usefixtures("shared_out")
def test_a_space_that_ends_is_left_to_who_takes_care(number, rng):
    """Six eigenvalues: after as many vectors only rounding errors are left."""
    values = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 50)
    A = scipy.sparse.csr_array(scipy.sparse.diags_array(values))
    V = begun(A, 30, 3, rng)
    with rnla.limit_threads(number):
        found = lanczos_steps([A], V, 3, 20, 1e-14)
    assert found.block is None
    assert len(found.H) == 4
    assert np.linalg.norm(found.remainder) < 1e-13
    assert not V[6:].any()
    assert np.abs(V[:6] @ V[:6].T - np.eye(6)).max() < 1e-12


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200, 1e-200])
def test_what_leaves_the_range_is_left_to_others_as_well(value, rng):
    A = symmetric(200, rng)
    V = begun(A, 12, 3, rng)
    B = A.copy()
    B.data[:] = value if not np.isfinite(value) else A.data * value
    found = lanczos_steps([B], V, 3, 8, 1e-15)
    assert found.block is None
    assert len(found.H) == 1


def test_vectors_that_are_not_orthogonal_need_care(rng):
    A = symmetric(200, rng)
    V = begun(A, 12, 4, rng)
    w = A @ V[3]
    w -= V[:4].T @ (V[:4] @ w)
    V[0] = w / np.linalg.norm(w)
    found = lanczos_steps([A], V, 4, 5, 1e-15)
    assert len(found.H) == 1
    assert found.block is None


def halved(A, steps, rng, kept=0, at_a_time=7, threshold=2.0**-35):
    """A chain of so many steps, and T, with the vectors that are kept before it."""
    n, eps = A.shape[0], float(np.finfo(A.dtype).eps)
    V, T = np.zeros((kept + steps + 3, n)), np.zeros((kept + steps + 2,) * 2)
    values, vectors = np.linalg.eigh(A.toarray())
    V[:kept] = vectors[:, -kept:].T if kept else 0.0
    T[:kept, :kept] = np.diag(values[-kept:]) if kept else 0.0
    for size in (kept + 1, kept + 2):
        w = rng.standard_normal(n) if size == kept + 1 else A @ V[size - 2]
        for _ in range(2):
            w = w - V[: size - 1].T @ (V[: size - 1] @ w)
        V[size - 1] = w / np.linalg.norm(w)
        T[:size, size - 1] = T[size - 1, :size] = V[:size] @ (A @ V[size - 1])
    size = kept + 2
    chain = Chain(
        T[: size - 1, : size - 1], len(V), eps, kept=kept, errors=1e-13, threshold=threshold
    )
    while size < kept + steps + 2:
        count = min(at_a_time, kept + steps + 2 - size)
        found = lanczos_steps([A], V, size, count, 1e-15, chain)
        for step, h in enumerate(found.H):
            m = size + step
            T[:m, m - 1] = T[m - 1, :m] = h[:m]
        size += count
        V[size - 1] = found.block[:, 0]
    return V[: size - 1], T[: size - 1, : size - 1], chain


@pytest.mark.parametrize("kept", [0, 3])
@pytest.mark.parametrize("at_a_time", [3, 40])
def test_half_of_the_digits_are_enough(kept, at_a_time, rng):
    """Where values at the ends converge, vectors that nobody projects lose all of them."""
    values = np.concatenate([-30.0 + np.arange(3), rng.random(500), [20.0, 24.0, 29.0, 40.0]])
    A = spread(values, rng)
    V, T, _ = halved(A, 70, rng, kept, at_a_time)
    off = V @ V.T - np.eye(len(V))
    assert np.abs(off[kept:, kept:]).max() < 1e-10
    assert np.abs(off[:kept]).max(initial=0.0) < 1e-10
    theta = np.linalg.eigvalsh(T)
    assert np.abs(theta[-4:] - [20.0, 24.0, 29.0, 40.0]).max() < 1e-12
    assert np.abs(theta[:3] - [-30.0, -29.0, -28.0]).max() < 1e-12
    # What is between the ends has no ghost outside of it.
    assert theta[3] > -0.1
    assert theta[-5] < 1.1


@pytest.mark.parametrize("seed", range(3))
def test_few_steps_are_projected(seed, rng, monkeypatch):
    """Each lifts the last two vectors; the steps between them lose what they may."""
    values = np.concatenate([rng.random(500), [1.2, 1.3, 1.5, 1.6]])
    spans, original = [], turns.lanczos_turns

    def noted(*arguments):
        spans.append(arguments[10])
        return original(*arguments)

    monkeypatch.setattr(module.turns, "lanczos_turns", noted)
    A = spread(values, rng)
    halved(A, 70, rng, 0, 40)
    pairs = np.concatenate([s[:, 2] for s in {id(s): s for s in spans}.values()])
    assert 0 < pairs.sum() < 70 / 4


def test_a_chain_that_nobody_projects_sees_ghosts(rng, monkeypatch):
    """The control: without the estimate eigenvalues come twice."""
    values = np.concatenate([rng.random(500), [20.0, 24.0, 29.0, 40.0]])
    monkeypatch.setattr(module.Chain, "__init__", without_suspicion(module.Chain.__init__))
    V, T, _ = halved(spread(values, rng), 70, rng, threshold=1e9)
    assert np.abs(V @ V.T - np.eye(len(V))).max() > 0.1
    assert np.count_nonzero(np.linalg.eigvalsh(T) > 2.0) > 4


def without_suspicion(init):
    def made(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self.arrays[-1][:, turns.SUSPECT] = 0.0

    return made


def spread(values, rng):
    """A matrix with these eigenvalues: rotations of neighbours, which leave it sparse."""
    n = len(values)
    A = scipy.sparse.csr_array(scipy.sparse.diags_array(rng.permutation(values)))
    for shift in (0, 1, 0):
        angle = np.zeros(n)
        angle[shift : n - 1 : 2] = rng.random(len(angle[shift : n - 1 : 2])) * 3
        c, s = np.ones(n), np.sin(angle)
        c[shift : n - 1 : 2] = np.cos(angle[shift : n - 1 : 2])
        c[1 + shift :: 2] = np.cos(angle[shift : n - 1 : 2])
        G = scipy.sparse.diags_array([c, -s[:-1], s[:-1]], offsets=[0, 1, -1])
        A = scipy.sparse.csr_array(G @ A @ G.T)
    return scipy.sparse.csr_array((A + A.T) / 2)


def test_products_with_larger_errors_are_projected_always(rng):
    """The estimate of an exact product would not see what an inexact one leaves."""
    values = np.concatenate([rng.random(500), [20.0, 24.0, 29.0, 40.0]])
    A = spread(values, rng)
    A.data *= 1 + 1e-9 * rng.standard_normal(len(A.data))
    V, _, chain = halved(A, 60, rng)
    assert np.abs(V @ V.T - np.eye(len(V))).max() < 1e-7
    assert 1e-11 < chain.noise / 40 < 1e-7


def test_turns_wait_for_the_turn_before(rng):
    """What the counters say is obeyed: nothing is taken while a part is missing."""
    A = symmetric(100, rng)
    V = begun(A, 12, 3, rng)
    before = V.copy()
    w, counters = np.zeros(100), np.zeros(turns.COUNTERS, np.int64)
    near, far, squares = np.zeros((4, 3)), np.zeros((4, 6)), np.zeros((4, 1))
    spans, loss = np.zeros((4, 3), np.int64), Chain(np.zeros((1, 1)), 12, 1e-16).arrays
    rows = np.array([0, 50, 100])
    cuts = np.array([rows, rows])
    csr = (A.indptr, A.indices, A.data)
    limits = (1e-15, 0.9, 1e-290, 1e300)
    sums = np.zeros((2, 2, 6))
    arguments = (
        (csr, csr), cuts, rows, V, 0, 3, 4, np.zeros(0), w, near, spans, far, np.zeros(6), squares,
        sums, limits, loss,
    )  # fmt: skip
    counters[0] = 2  # Both parts of the first turn are taken, by somebody who never returns.
    assert not turns.lanczos_turns(*arguments, counters, 100)
    counters[0] = 2 * 15  # All are taken, and some not done.
    assert not turns.lanczos_turns(*arguments, counters, 100)
    np.testing.assert_array_equal(V, before)
    assert not w.any()
    counters[:] = 0
    assert turns.lanczos_turns(*arguments, counters, 100)
    assert counters[0] == 2 * 15
    np.testing.assert_array_equal(V[:3], before[:3])
    assert np.abs(V[:6] @ V[:6].T - np.eye(6)).max() < 1e-14


def test_what_does_not_fit(rng):
    A = symmetric(50, rng)
    V = begun(A, 10, 4, rng)
    for vectors, size, count in (
        (V, 1, 3),
        (V, 8, 4),
        (V, 4, 0),
        (V[:, :49].copy(), 4, 2),
        (np.asfortranarray(V), 4, 2),
        (V.astype(np.float32), 4, 2),
    ):
        with pytest.raises(ValueError, match="`vectors` must be C-ordered and fit a matrix"):
            lanczos_steps([A], vectors, size, count, 1e-15)
    assert len(lanczos_steps([A], begun(A, 10, 8, rng), 8, 3, 1e-15).H) == 3
