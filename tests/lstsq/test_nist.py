"""Certified values: the linear regression sets of the NIST Statistical Reference Datasets."""

import json
from pathlib import Path

import numpy as np
import pytest

from rnla import lstsq_refine

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "nist_strd_linear.json"
METHODS = ["auto", "spir", "spne", "sirr", "lapack"]
REPEATS = 40
# What "auto" runs may lose half a digit to chance, as LAPACK does; the randomized methods, whose
# forward error is within ten times that of Householder QR, a whole one.
SLACK = {"auto": 0.5, "lapack": 0.5}

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"no {DATA.name} beside the repository")


def sets():
    return json.loads(DATA.read_text()) if DATA.exists() else {}


def problem(name):
    """Return the design matrix, the responses and the certified coefficients."""
    entry = sets()[name]
    y = np.asarray(entry["y"], float)
    if entry["model"] == "polynomial":
        x = np.asarray(entry["x"], float)
        first = 0 if entry["intercept"] else 1
        A = np.vander(x, entry["degree"] + 1, increasing=True)[:, first:]
    else:
        columns = np.asarray(entry["X"], float)
        A = np.column_stack([np.ones(len(y)), columns]) if entry["intercept"] else columns
    return A, y, np.asarray(entry["certified"], float)


def digits(x, certified):
    """Return the digits that the worst coefficient has right (the log relative error)."""
    scale = np.where(certified != 0, np.abs(certified), 1.0)
    error = np.abs(x - certified) / scale
    return -np.log10(max(error.max(), 1e-16))


def lapack_digits(A, y, certified, rng):
    """Return LAPACK's digits, freed from luck: the median over orders of the rows."""
    found = []
    for _ in range(99):
        order = rng.permutation(len(y))
        # Without a cut-off below roundoff it calls Filip singular and loses all digits.
        x = np.linalg.lstsq(A[order], y[order], rcond=1e-16)[0]
        found.append(digits(x, certified))
    return np.median(found)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", list(sets()) or ["absent"])
def test_as_many_certified_digits_as_lapack(name, method, rng):
    A, y, certified = problem(name)
    expected = lapack_digits(A, y, certified, rng)
    # Repeated rows have the same solution, and leave room for a sketch.
    copies = 1 if method in ("auto", "lapack") else REPEATS
    result = lstsq_refine(np.tile(A, (copies, 1)), np.tile(y, copies), method=method, rng=0)
    assert result.method == ("lapack" if method == "auto" else method)
    assert digits(result.x, certified) >= expected - SLACK.get(method, 1.0)


def test_the_digits_of_every_set():
    found = {
        name: digits(lstsq_refine(*problem(name)[:2], rng=0).x, problem(name)[2]) for name in sets()
    }
    assert found["Filip"] > 6
    assert found["Longley"] > 11
    assert found["Wampler1"] > 8
    assert found["Pontius"] > 11
    assert found["NoInt1"] > 14


def test_a_wrong_solver_loses_digits():
    # The normal equations, as a control: Filip and Wampler5 are made to catch them.
    A, y, certified = problem("Filip")
    x = np.linalg.lstsq(A.T @ A, A.T @ y)[0]
    assert digits(x, certified) < 1
