"""Every benchmark runs and writes what it found."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"

pytestmark = pytest.mark.skipif(not BENCH.is_dir(), reason="bench/ is not part of this tree")

# The sizes of `--quick` say nothing about speed, only that everything runs.
RUNS = {
    "roofline": [],
    "sketches": ["--orders", "C", "--kinds", "sparse_sign_4,count_sketch"],
    "many": [],
    "factors": [],
    "least_squares": ["--condition", "1e10", "--methods", "gelsd,gelsy,QR,lsqr,Gram,spir"],
    "small": [],
    "startup": [],
    "eigsh": [],
    "epsi": [],
    "spmm": [],
    "trace_function": [],
    "trace": [],
    "svds": [],
    "smallest": [],
}


@pytest.fixture
def modules(monkeypatch):
    """The scripts and what they share can be imported, without the pauses between timings."""
    monkeypatch.syspath_prepend(BENCH)
    monkeypatch.setattr(importlib.import_module("_timing"), "_SETTLE", 0.0)


def options(script, folder):
    return ["--quick", *RUNS[script], "--markdown", "--json", os.fspath(folder / "report.json")]


def tables(output, folder):
    assert "| --- |" in output
    found = json.loads((folder / "report.json").read_text())
    assert found["machine"]["rnla threads"] >= 1
    assert all(table["rows"] for table in found["tables"])
    return found["tables"]


def test_every_script_has_a_run():
    assert {path.stem for path in BENCH.glob("[!_]*.py")} == set(RUNS)


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize("script", sorted(set(RUNS) - {"least_squares", "roofline"}))
def test_script_runs(script, tmp_path, capsys):
    importlib.import_module(script).main(options(script, tmp_path))
    tables(capsys.readouterr().out, tmp_path)


def test_a_script_is_a_program(tmp_path):
    done = subprocess.run(
        [sys.executable, BENCH / "roofline.py", *options("roofline", tmp_path)],
        env={**os.environ, "PYTHONPATH": os.fspath(BENCH.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    tables(done.stdout, tmp_path)


@pytest.mark.usefixtures("modules")
def test_accuracy_stands_beside_every_time(tmp_path, capsys):
    importlib.import_module("least_squares").main(options("least_squares", tmp_path))
    found = tables(capsys.readouterr().out, tmp_path)
    rows = {row["method"]: row for row in found[0]["rows"]}
    assert rows["scipy gelsd"]["× gelsd"] > 0
    assert rows["scipy gelsy"]["backward error"] < 1e-15
    assert rows["rnla spir"]["backward error"] < 1e-15
    # Normal equations: refused by Cholesky, or a time without an answer, never a speed-up.
    gram = rows["Gram + Cholesky, 1 refinement"]
    assert isinstance(gram["min s"], str)
    assert "× gelsd" not in gram
