"""What `lstsq` prints."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest
import scipy.sparse as sp

import rnla
from rnla.cli import main


def test_summary_shows_certificate_and_small_solution(run, problem):
    outcome = run("lstsq", "A.npy", "b.npy")
    assert (outcome.status, outcome.err) == (0, "")
    lines = dict(line.split("  ", 1) for line in outcome.out.splitlines())
    assert lines["A"].strip() == "120 x 4, float64"
    assert float(lines["backward error"]) < 1e-15
    assert lines["rank"].strip() == "4 of 4"
    printed = np.array(lines["x"].split(), float)
    np.testing.assert_array_equal(printed, rnla.lstsq_refine(problem.A, problem.b, rng=0).x)


def test_large_solution_is_not_printed(run, rng):
    np.save("A.npy", rng.standard_normal((60, 11)))
    np.save("b.npy", np.ones(60))
    assert "11; write it with -o FILE" in run("lstsq", "A.npy", "b.npy").out


def test_options_reach_the_solver(run, problem, monkeypatch):
    seen = {}
    solve = rnla.lstsq_refine

    def spy(A, b, **options):
        seen.update(options)
        return solve(A, b, **options)

    monkeypatch.setattr(rnla, "lstsq_refine", spy)
    line = (
        "lstsq A.npy b.npy --method spir --rtol 1e-12 --rcond 1e-9 --maxiter 7 --seed 5 "
        "--sketch count_sketch --sketch-size 40"
    )
    assert run(*line.split()).status == 0
    assert seen == {
        "method": "spir",
        "rtol": 1e-12,
        "rcond": 1e-9,
        "maxiter": 7,
        "rng": 5,
        "sketch": "count_sketch",
        "sketch_size": 40,
        "callback": None,
    }


def test_threads_hold_during_the_command_only(run, problem, monkeypatch):
    counts = []
    solve = rnla.lstsq_refine

    def spy(*arguments, **options):
        counts.append(rnla.get_num_threads())
        return solve(*arguments, **options)

    monkeypatch.setattr(rnla, "lstsq_refine", spy)
    before = rnla.get_num_threads()
    assert run("lstsq", "A.npy", "b.npy", "--threads", 3).status == 0
    assert counts == [3]
    assert rnla.get_num_threads() == before


@pytest.mark.parametrize("kind", ["tall", "wide", "sparse", "columns", "complex b", "rank 1"])
def test_compare_judges_lapack_and_rnla_alike(run, problem, kind):
    A, b = problem.A, problem.b
    if kind == "wide":
        A, b = A[:3], b[:3]
    elif kind == "columns":
        b = np.stack([b, A[:, 0], 0 * b], axis=1)
    elif kind == "complex b":
        b = b + 1j * A[:, 1] ** 2
    elif kind == "rank 1":
        A = np.ones_like(A)
    np.save("A.npy", A)
    np.save("b.npy", b)
    name = "A.npy"
    if kind == "sparse":
        name = "S.npz"
        sp.save_npz(name, sp.csr_array(np.where(abs(A) > 0.5, A, 0)))
    outcome = run("lstsq", name, "b.npy", "--compare", "--json", "--method", "auto")
    assert (outcome.status, outcome.err) == (0, "")
    ours, *others = json.loads(outcome.out)["compare"]
    assert ours["solver"].startswith("rnla, ")
    assert ours["ratio"] == 1
    assert [row["solver"] for row in others][-1] == "LAPACK, gelsd"
    # LAPACK takes rounding errors of the size of its own cut-off for a second direction.
    rel = 1e-2 if kind == "rank 1" else 1e-9
    for row in (ours, *others):
        assert 0 <= row["backward_error"] < 1e-14
        assert row["residual_norm"] == pytest.approx(ours["residual_norm"], rel=rel, abs=1e-12)
        assert row["seconds"] > 0


def test_compare_sees_a_wrong_solution(run, problem, monkeypatch):
    solve = rnla.lstsq_refine

    def worse(A, b, **options):
        result = solve(A, b, **options)
        result.x[0] *= 1 + 1e-6
        return result

    monkeypatch.setattr(rnla, "lstsq_refine", worse)
    outcome = run("lstsq", "A.npy", "b.npy", "--compare", "--json")
    ours, gelsd = json.loads(outcome.out)["compare"]
    assert ours["backward_error"] > 1e-9
    assert gelsd["backward_error"] < 1e-15


def test_table_of_the_comparison(run, problem):
    outcome = run("lstsq", "A.npy", "b.npy", "--compare", "--method", "spir")
    table = outcome.out.split("\n\n")[1].splitlines()
    assert table[0].split("  ")[0] == "solver"
    assert [line.split("  ")[0] for line in table[2:5]] == [
        "rnla, spir",
        "LAPACK, QR",
        "LAPACK, gelsd",
    ]
    assert len({len(line) for line in table[:5]}) == 1


def test_empty_problem(run):
    np.save("A.npy", np.ones((5, 0)))
    np.save("b.npy", np.ones(5))
    outcome = run("lstsq", "A.npy", "b.npy", "--compare")
    assert outcome.status == 0
    assert "empty" in outcome.out


def test_missed_tolerance_is_one_line_of_warning(run, problem):
    outcome = run("lstsq", "A.npy", "b.npy", "--method", "spir", "--maxiter", 0, "--json")
    assert outcome.status == 0
    assert outcome.err.startswith("warning: backward error ")
    assert outcome.err.count("\n") == 1
    assert json.loads(outcome.out)["success"] is False


def test_json_has_no_infinity(run):
    np.save("A.npy", np.ones((30, 2)))
    np.save("b.npy", np.ones(30))
    outcome = run("lstsq", "A.npy", "b.npy", "--json")
    answer = json.loads(outcome.out, parse_constant=lambda name: pytest.fail(name))
    assert answer["rank"] == 1
    np.testing.assert_allclose(answer["x"], [0.5, 0.5])


def test_json_names_the_output_in_place_of_x(run, problem):
    answer = json.loads(run("lstsq", "A.npy", "b.npy", "-o", "x.npy", "--json").out)
    assert answer["output"] == "x.npy"
    assert "x" not in answer


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_on_a_terminal_is_wiped(problem, tmp_path, monkeypatch):
    terminal = Terminal()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["lstsq", "A.npy", "b.npy", "--method", "spir"]) == 0
    written = terminal.getvalue()
    assert "[" + 24 * "." + "] solving: step 0, backward error" in written
    assert written.endswith("\r")
    assert "\n" not in written
    assert written.split("\r")[-2].strip() == ""


def test_progress_is_wiped_before_an_error(tmp_path, monkeypatch):
    terminal = Terminal()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["lstsq", "none.npy", "b.npy"]) == 1
    assert terminal.getvalue().endswith(
        "\rpython -m rnla: error: none.npy: No such file or directory\n"
    )
