"""Every format goes in, every format comes out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from rnla.cli import _files

CSV = {
    "commas": (",", "", ""),
    "semicolons": (";", "", ""),
    "tabs": ("\t", "", ""),
    "blanks": (" ", "", ""),
    "column names": (",", "height,inf_or_so,i,j\n", ""),
    "comments": (",", "# made by hand\n\n", "# the end\n"),
    "byte order mark": (",", "\ufeff", ""),
}


def write_csv(path, A, delimiter=",", before="", after=""):
    lines = [delimiter.join(map(repr, row)) for row in A.tolist()]
    text = before + "\n".join(lines) + "\n" + after
    Path(path).write_bytes(
        gzip.compress(text.encode()) if str(path).endswith("gz") else text.encode()
    )


def solved(run, *arguments):
    outcome = run("lstsq", *arguments, "--json")
    assert outcome.err == ""
    assert outcome.status == 0
    return json.loads(outcome.out)


@pytest.mark.parametrize("name", ["A.npy", "A.npz", "A.mtx", "A.mtx.gz", "A.csv", "A.csv.gz"])
def test_dense_matrix_in_every_format(run, problem, name):
    if name.endswith(".npz"):
        np.savez(name, problem.A)
    elif ".mtx" in name:
        scipy.io.mmwrite("A.mtx", problem.A)
        Path("A.mtx.gz").write_bytes(gzip.compress(Path("A.mtx").read_bytes()))
    elif ".csv" in name:
        write_csv(name, problem.A)
    answer = solved(run, name, "b.npy")
    assert answer["A"]["sparse"] is False
    np.testing.assert_allclose(answer["x"], problem.x, rtol=1e-10)


@pytest.mark.parametrize("name", ["S.npz", "S.mtx", "S.mtx.gz"])
@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_sparse_matrix_in_every_format(run, problem, name, form):
    S = sp.random(120, 10, density=0.3, format=form, random_state=0)
    if name == "S.npz":
        sp.save_npz(name, S)
    else:
        scipy.io.mmwrite("S.mtx", S)
        Path("S.mtx.gz").write_bytes(gzip.compress(Path("S.mtx").read_bytes()))
    answer = solved(run, name, "b.npy")
    assert answer["A"]["sparse"] is True
    expected = np.linalg.lstsq(S.toarray(), problem.b)[0]
    np.testing.assert_allclose(answer["x"], expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("form", CSV)
def test_text_of_many_kinds(run, problem, form):
    delimiter, before, after = CSV[form]
    write_csv("A.csv", problem.A, delimiter, before, after)
    np.testing.assert_allclose(solved(run, "A.csv", "b.npy")["x"], problem.x, rtol=1e-10)


@pytest.mark.parametrize("shape", [(120, 1), (1, 120)])
@pytest.mark.parametrize("suffix", [".csv", ".mtx"])
def test_one_row_or_column_of_text_is_a_vector(run, problem, shape, suffix):
    b = problem.b.reshape(shape)
    write_csv("b.csv", b) if suffix == ".csv" else scipy.io.mmwrite("b.mtx", b)
    assert solved(run, "A.npy", f"b{suffix}")["b"]["shape"] == [120]


def test_sparse_right_hand_side_becomes_dense(run, problem):
    scipy.io.mmwrite("b.mtx", sp.coo_array(problem.b[:, None]))
    np.testing.assert_allclose(solved(run, "A.npy", "b.mtx")["x"], problem.x, rtol=1e-10)


def test_arrays_of_an_archive_are_found_by_name(run, problem):
    np.savez("data.npz", b=problem.b, A=problem.A, other=2 * problem.b)
    np.testing.assert_allclose(solved(run, "data.npz", "data.npz")["x"], problem.x, rtol=1e-10)
    answer = solved(run, "data.npz", "data.npz", "--key", "A", "--b-key", "other")
    np.testing.assert_allclose(answer["x"], 2 * problem.x, rtol=1e-10)


@pytest.mark.parametrize("dtype", ["int32", "float32", "complex64", "complex128", ">f8", "bool"])
@pytest.mark.parametrize("order", "CF")
def test_types_and_orders_of_an_array(run, problem, dtype, order):
    A = np.asarray(4 * problem.A).astype(dtype, order=order)
    np.save("A.npy", A)
    answer = solved(run, "A.npy", "b.npy", "--compare")
    wide = A.astype(np.result_type(A, np.float64))
    expected = np.linalg.lstsq(wide, problem.b)[0]
    x = answer["x"]
    if isinstance(x, dict):
        x = np.array(x["real"]) + 1j * np.array(x["imag"])
    single = dtype in ("float32", "complex64")
    np.testing.assert_allclose(x, expected, rtol=1e-4 if single else 1e-9)
    assert all(row["backward_error"] < (1e-6 if single else 2e-15) for row in answer["compare"])


def test_a_matrix_larger_than_memory_is_mapped(run, problem, monkeypatch):
    monkeypatch.setattr(_files, "available_memory", lambda: 1000.0)
    assert isinstance(_files.read_matrix("A.npy"), np.memmap)
    np.testing.assert_allclose(solved(run, "A.npy", "b.npy")["x"], problem.x, rtol=1e-10)


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".mtx"])
@pytest.mark.parametrize("columns", [0, 1, 3])
def test_solution_is_written_to_the_last_digit(run, problem, suffix, columns):
    b = problem.b if columns == 0 else problem.b[:, None] * np.arange(1, columns + 1)
    np.save("b.npy", b)
    x = np.asarray(solved(run, "A.npy", "b.npy")["x"])
    outcome = run("lstsq", "A.npy", "b.npy", "-o", f"x{suffix}")
    assert outcome.status == 0
    assert f"written to x{suffix}" in outcome.out
    read = {
        ".npy": np.load,
        ".csv": lambda path: np.loadtxt(path, delimiter=","),
        ".mtx": scipy.io.mmread,
    }[suffix]
    np.testing.assert_array_equal(np.asarray(read(f"x{suffix}")).reshape(x.shape), x)


@pytest.mark.parametrize("suffix", [".npy", ".mtx"])
def test_complex_solution_is_written(run, problem, suffix):
    np.save("A.npy", problem.A + 1j)
    assert run("lstsq", "A.npy", "b.npy", "-o", f"x{suffix}").status == 0
    x = np.load("x.npy") if suffix == ".npy" else scipy.io.mmread("x.mtx").ravel()
    np.testing.assert_allclose(x, np.linalg.lstsq(problem.A + 1j, problem.b)[0], rtol=1e-10)


def test_single_precision_solution_survives_text(run, problem):
    np.save("A.npy", problem.A.astype(np.float32))
    np.save("b.npy", problem.b.astype(np.float32))
    for suffix in ("npy", "csv"):
        assert run("lstsq", "A.npy", "b.npy", "-o", f"x.{suffix}").status == 0
    x = np.load("x.npy")
    assert x.dtype == np.float32
    np.testing.assert_array_equal(np.loadtxt("x.csv").astype(np.float32), x)
