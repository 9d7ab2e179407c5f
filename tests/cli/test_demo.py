"""The demonstration, the benchmark and the report, small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io

import rnla
from rnla._core.versions import show_versions
from rnla.cli import _demo, _digits

SMALL = ("demo", "--rows", 2000, "--columns", 40)


def test_demo_prints_its_table_and_draws(run):
    pytest.importorskip("matplotlib")
    outcome = run(*SMALL)
    assert (outcome.status, outcome.err) == (0, "")
    for words in ("2000 x 40", "First call", "gelsd", "gelsy", "QR", "normal equations", "passes"):
        assert words in outcome.out
    assert "!" not in outcome.out
    assert outcome.out.splitlines()[-1] == "Convergence is drawn in convergence.png."
    assert Path("convergence.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["picture.svg", "picture.pdf"])
def test_demo_draws_where_it_is_told(run, name):
    pytest.importorskip("matplotlib")
    assert run(*SMALL, "--output", name).status == 0
    assert [path.name for path in Path().iterdir()] == [name]


def test_demo_in_json(run):
    outcome = run(*SMALL, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    answer = json.loads(outcome.out)
    assert answer["success"] is True
    names = [row["solver"] for row in answer["runs"]]
    assert names[0].startswith("rnla, ")
    assert names[1:] == ["LAPACK, QR", "LAPACK, gelsd", "LAPACK, gelsy", "normal equations"]
    *stable, squared = answer["runs"]
    assert all(row["backward_error"] < 1e-14 for row in stable)
    assert squared["backward_error"] > 1e-14


def test_demo_without_matplotlib(run, monkeypatch):
    monkeypatch.setattr(_demo, "find_spec", lambda name: None)
    outcome = run(*SMALL)
    assert outcome.status == 0
    assert "Matplotlib is not installed" in outcome.out
    assert list(Path().iterdir()) == []


def test_demo_with_a_closed_folder(run, monkeypatch):
    pytest.importorskip("matplotlib")
    Path("convergence.png").mkdir()
    outcome = run(*SMALL)
    assert outcome.status == 0
    assert "No picture: convergence.png: " in outcome.out


def test_demo_says_who_was_faster(run):
    out = run(*SMALL).out
    assert out.count(" times as fast as ") == 2


def test_kernel_matrix_is_the_formula():
    done = []
    problem = _digits.kernel_regression(500, 30, 7, done.append)
    again = _digits.kernel_regression(500, 30, 7, done.append)
    np.testing.assert_array_equal(problem.A, again.A)
    assert problem.A.shape == (500, 30)
    assert problem.A.flags.c_contiguous
    assert 0 < problem.A.min() < problem.A.max() <= 1
    assert set(problem.b) == set(range(10))
    assert 1e4 < np.linalg.cond(problem.A) < 1e9
    assert done[0] == 0


def test_blocks_do_not_show_in_the_kernel_matrix(monkeypatch):
    whole = _digits.kernel_regression(300, 20, 1, lambda done: None)
    monkeypatch.setattr(_digits, "_BLOCK", 20 * 7)
    pieces = _digits.kernel_regression(300, 20, 1, lambda done: None)
    np.testing.assert_allclose(pieces.A, whole.A, rtol=1e-12)


def test_bench_quick(run):
    outcome = run("bench", "--quick")
    assert (outcome.status, outcome.err) == (0, "")
    assert "GB/s" in outcome.out
    assert "rows x columns" in outcome.out


def test_bench_in_json(run):
    answer = json.loads(run("bench", "--quick", "--json").out)
    assert answer["bytes_per_second"] > 0
    assert all(case["backward_error"] < 1e-14 for case in answer["cases"])


def test_info_names_versions_threads_and_cache(run):
    outcome = run("info")
    assert (outcome.status, outcome.err) == (0, "")
    for words in ("rnla", "numpy", "numba", "BLAS", "compiled kernels", "cpu"):
        assert words in outcome.out
    assert rnla.__version__ in outcome.out


def test_info_in_json(run):
    # Reading a file registers a thread pool of another kind.
    scipy.io.mmwrite("A.mtx", np.eye(3))
    scipy.io.mmread("A.mtx")
    answer = json.loads(run("info", "--json").out)
    assert answer["packages"]["rnla"] == rnla.__version__
    assert answer["threads"] == rnla.get_num_threads()
    assert answer["blas"]


def test_show_versions_prints_or_returns(capsys):
    assert show_versions() is None
    assert "scipy" in capsys.readouterr().out
    info = show_versions(mode="dicts")
    assert info["packages"]["numpy"] == np.__version__
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="`mode` must be 'stdout' or 'dicts'"):
        show_versions(mode="json")
