from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from rnla.cli import _compare, main


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Run a command line in an empty folder, as `python -m rnla` would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_compare, "_PAUSE", 0.0)

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Outcome(status, *capsys.readouterr())

    return run


class Problem(NamedTuple):
    A: np.ndarray
    b: np.ndarray
    x: np.ndarray


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    """A small problem, in A.npy and b.npy of the working folder."""
    rng = np.random.default_rng(3)
    A = rng.standard_normal((120, 4))
    b = rng.standard_normal(120)
    np.save(tmp_path / "A.npy", A)
    np.save(tmp_path / "b.npy", b)
    return Problem(A, b, np.linalg.lstsq(A, b)[0])
