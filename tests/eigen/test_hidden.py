"""What a Krylov space of a random block cannot have hidden."""

from math import lgamma

import eigen_cases as cases
import numpy as np
import pytest

from rnla.eigen import _complement, _verify, solve
from rnla.eigen._hidden import log_chance
from rnla.eigen._select import Selection
from rnla.linalg.orth import random_block

N = 300
REST = np.linspace(-1, 1, N - 1)


def lanczos(values, Q, steps):
    """Blocks and their projection, with a diagonal matrix in full."""
    V, width = Q, Q.shape[1]
    for _ in range(steps):
        W = values[:, None] * V[:, -width:]
        W = W - V @ (V.conj().T @ W)
        W = W - V @ (V.conj().T @ W)
        V = np.hstack([V, np.linalg.qr(W)[0]])
    return V, V.conj().T @ (values[:, None] * V)


def parts_of(T, width, steps):
    """The projection after some steps, and what couples it to the next one."""
    size = steps * width
    return T[:size, :size], T[size : size + width, size - width : size]


def start(rng, width, dtype, part=None):
    X = random_block(rng, (N, width), dtype)
    if part is not None:
        X[0] = part
    return np.linalg.qr(X)[0]


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_formula_is_the_recurrence_of_the_rows(sign, width, dtype, rng):
    """`y_{m+1} = y_1 P`, and the bound follows from the smallest singular value of P."""
    x = 2.5
    values = sign * np.concatenate([[x], REST])
    V, T = lanczos(values, start(rng, width, dtype, 1e-3), 5)
    T, B = parts_of(T, width, 5)
    Y = V[0].reshape(6, width)
    below = [T[i : i + width, i - width : i] for i in range(width, len(T), width)]
    P, before = np.eye(width), np.zeros((width, width))
    lower = np.zeros((width, width))
    for j, C in enumerate([*below, B]):
        inner = slice(j * width, (j + 1) * width)
        following = P @ (sign * x * np.eye(width) - T[inner, inner]) - before @ lower.conj().T
        before, P, lower = P, following @ np.linalg.inv(C), C
    np.testing.assert_allclose(Y[0] @ P, Y[-1], rtol=1e-8, atol=1e-10)
    parts = 1 if dtype is float else 2
    half = parts * width / 2
    volume = half * np.log(np.pi) - lgamma(half + 1)
    density = half * np.log(parts * N / (2 * np.pi))
    expected = volume + density - 2 * half * np.log(np.linalg.svd(P)[1][-1])
    bound = log_chance(T, B, [(sign, sign * x)], N)
    assert bound < -2
    np.testing.assert_allclose(bound, expected / np.log(10), rtol=1e-8)
    ends = [(sign, sign * limit) for limit in (x, 1.1 * x, 2 * x, 10 * x)]
    bounds = [log_chance(T, B, [end], N) for end in ends]
    assert sorted(bounds, reverse=True) == bounds
    assert log_chance(T, B, ends[::-1], N) == bound


def test_a_value_beyond_the_limit_is_no_certainty(rng):
    _, T = lanczos(np.concatenate([[1.4], REST]), start(rng, 1, float), 12)
    T, B = parts_of(T, 1, 12)
    assert log_chance(T, B, [(1, 1.2)], N) == 0
    assert log_chance(T, B, [(1, 1.5)], N) < -2
    assert log_chance(T, B, [(1, 1.5), (-1, -0.5)], N) == 0
    # Blocks that have lost a column are of another recurrence.
    assert log_chance(T, np.zeros((0, 1)), [(1, 1.5)], N) == 0
    assert log_chance(T, np.zeros((1, 2)), [(1, 1.5)], N) == 0
    assert log_chance(T[:0, :0], B, [(1, 1.5)], N) == 0


def test_a_start_that_has_a_part_is_never_said_to_have_less(rng):
    """For one column it is no estimate: as long as nothing shows, the part is as small as said."""
    values = np.concatenate([[1.1], REST])
    for part in 10.0 ** np.arange(-10, 0):
        V, T = lanczos(values, start(rng, 1, float, part), 90)
        # The chance of less than this part is the part times the largest density, and twice.
        share = np.log10(2 * abs(V[0, 0]) * np.sqrt(N / (2 * np.pi)))
        bounds = [log_chance(*parts_of(T, 1, steps), [(1, 1.09)], N) for steps in range(1, 90)]
        known = np.array(bounds) < 0
        assert share <= np.array(bounds)[known].min() + 1e-6
        assert not known[-1]


def by_the_determinant(T, B, ends, n):
    """The control: the volume of the ellipsoid instead of the ball that it lies in."""
    ((_, limit),), width = ends, len(B)
    shifted = limit * np.eye(len(T)) - T
    if np.linalg.eigvalsh(shifted)[0] <= 0:
        return np.inf
    below = [T[i : i + width, i - width : i] for i in range(width, len(T), width)]
    growth = np.linalg.slogdet(shifted)[1] - sum(np.linalg.slogdet(C)[1] for C in [*below, B])
    ball = width / 2 * np.log(n / 2) - lgamma(width / 2 + 1)
    return (ball - growth) / np.log(10)


def told_wrongly(chance, width, rng, limit, runs=300):
    """How often a search with a value to find is told with half a digit that there is none."""
    values, wrong = np.concatenate([[1.1], REST]), 0
    most = {1: 30, 2: 22, 4: 18}[width]
    for _ in range(runs):
        _, T = lanczos(values, start(rng, width, float), most)
        steps = range(1, most)
        wrong += any(chance(*parts_of(T, width, s), [(1, limit)], N) <= -0.5 for s in steps)
    return wrong


@pytest.mark.parametrize("width", [1, 2, 4])
def test_it_is_as_rare_as_said(width, rng):
    likely, runs = 10**-0.5, 300
    wrong = told_wrongly(log_chance, width, rng, 1.09)
    # Three standard deviations above.
    assert 0 < wrong <= likely * runs + 3 * np.sqrt(likely * (1 - likely) * runs)


def test_control_the_determinant_is_no_bound(rng):
    """It is for one column; of more the directions that grow are those that x has not."""
    wrong = [told_wrongly(by_the_determinant, width, rng, 1.0999, runs=100) for width in (1, 4)]
    assert wrong[0] < 32 + 15
    assert wrong[1] > 90


def test_certainty_ends_where_rounding_begins(rng):
    _, T = lanczos(np.concatenate([[1.1], REST]), start(rng, 2, float), 3)
    T, B = parts_of(T, 2, 3)
    assert -33 < log_chance(T, 0 * B, [(1, 2.0)], N) < -28
    # Where the operator is zero nothing can be told.
    assert log_chance(np.zeros((2, 2)), np.zeros((1, 1)), [(1, 0.0)], N) == 0


@pytest.mark.parametrize(
    ("which", "ends"),
    [
        ("LA", [(1, 2.0)]),
        ("SA", [(-1, 5.0)]),
        ("LM", [(1, 2.0), (-1, -2.0)]),
        ("BE", [(1, 3.0), (-1, -4.0)]),
    ],
)
def test_where_missed_values_would_be(which, ends):
    wanted = np.array([5.0, -4.0, 3.0]) if which == "BE" else np.array([5.0, -4.0, 2.0])
    wanted = np.abs(wanted) if which in ("LA", "SA") else wanted
    assert Selection(which, 3).ends(wanted) == ends
    if which == "BE":
        assert Selection("BE", 1).ends(wanted[:1]) == [(1, 5.0)]


def searched(monkeypatch, A, k, **options):
    """A result and what the searches of the complement have been told."""
    seen = []

    def noted(module):
        def chance(*args):
            seen.append((module.__name__, log_chance(*args)))
            return seen[-1][1]

        monkeypatch.setattr(module, "log_chance", chance)

    noted(_verify)
    noted(_complement)
    return solve(A, k, **options), seen


@pytest.mark.parametrize("which", ["LA", "SA", "LM", "BE"])
@pytest.mark.parametrize("block", [1, 4])
def test_the_search_of_the_complement_ends_when_it_is_told(block, which, monkeypatch, rng):
    spectrum = np.concatenate([[3, 2.8, 2.6, -2.7, -2.9, -3.1], np.linspace(-1, 1, 900)])
    A = cases.block_diagonal(spectrum, rng)
    options = {"which": which, "tol": 1e-10, "block_size": block, "rng": rng}
    result, seen = searched(monkeypatch, A, 3, **options)
    assert result.verified
    assert seen[-1][1] <= -6
    assert all(chance > -6 for _, chance in seen[:-1])


@pytest.mark.parametrize("which", ["LA", "SA", "LM"])
def test_a_search_with_a_polynomial_leaves_none_to_be_made(which, monkeypatch, rng):
    spectrum = np.concatenate([np.linspace(-1, 1, 1900), 1.2 + np.arange(80) / 100])
    spectrum = np.concatenate([spectrum, -1.2 - np.arange(80) / 101])
    A = cases.block_diagonal(spectrum, rng)
    result, seen = searched(monkeypatch, A, 80, which=which, tol=1e-10, rng=rng)
    assert result.verified
    assert seen[-1][0] == _complement.__name__
    assert seen[-1][1] <= -6


def test_control_a_chance_without_its_digits(monkeypatch, rng):
    """A bound that is trusted six digits too early lets copies be missed."""
    spectrum = np.concatenate([[1.0, 0.9, 0.7001, 0.7001, 0.7], np.linspace(0.6, 0, 900)])
    wrong = {}
    for digits in (0.0, 6.0):
        monkeypatch.setattr(_verify, "UNLIKELY", digits)
        wrong[digits] = 0
        for _ in range(12):
            A = cases.block_diagonal(spectrum, rng)
            result = solve(A, 4, which="LA", tol=1e-10, rng=rng)
            error = np.abs(result.values - np.sort(spectrum)[-4:]).max()
            wrong[digits] += result.verified and error > 1e-7
    assert wrong[0.0] > 0
    assert wrong[6.0] == 0
