"""Every benchmark runs and writes what it found."""

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
    "svds": [],
}


def run(script, folder):
    report = folder / "report.json"
    options = ["--quick", *RUNS[script], "--markdown", "--json", report]
    done = subprocess.run(
        [sys.executable, BENCH / f"{script}.py", *options],
        env={**os.environ, "PYTHONPATH": os.fspath(BENCH.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "| --- |" in done.stdout
    found = json.loads(report.read_text())
    assert found["machine"]["rnla threads"] >= 1
    assert all(table["rows"] for table in found["tables"])
    return found["tables"]


def test_every_script_has_a_run():
    assert {path.stem for path in BENCH.glob("[!_]*.py")} == set(RUNS)


@pytest.mark.parametrize("script", sorted(set(RUNS) - {"least_squares"}))
def test_script_runs(script, tmp_path):
    run(script, tmp_path)


def test_accuracy_stands_beside_every_time(tmp_path):
    rows = {row["method"]: row for row in run("least_squares", tmp_path)[0]["rows"]}
    assert rows["scipy gelsd"]["× gelsd"] > 0
    assert rows["scipy gelsy"]["backward error"] < 1e-15
    assert rows["rnla spir"]["backward error"] < 1e-15
    # Normal equations: refused by Cholesky, or a time without an answer, never a speed-up.
    gram = rows["Gram + Cholesky, 1 refinement"]
    assert isinstance(gram["min s"], str)
    assert "× gelsd" not in gram
