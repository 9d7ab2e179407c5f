"""Whatever is wrong with the input: exit status 1 and one sentence, never a traceback."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import rnla.cli._memory
from rnla.cli import main

RNG = np.random.default_rng(0)
A = RNG.standard_normal((30, 3))


def text(content, name="bad.csv"):
    return lambda: Path(name).write_text(content)


def data(content, name):
    return lambda: Path(name).write_bytes(content)


def array(value, name="bad.npy"):
    return lambda: np.save(name, value, allow_pickle=True)


def truncated():
    np.save("whole.npy", A)
    Path("bad.npy").write_bytes(Path("whole.npy").read_bytes()[:200])


def with_nan(name, value, shape=(30, 3)):
    bad = np.ones(shape)
    bad.flat[-1] = value
    return array(bad, name)


def sparse_with_nan():
    S = sp.random(30, 3, 0.5, format="csr", random_state=0)
    S.data[2] = np.nan
    sp.save_npz("bad.npz", S)


# What to make, the command line after `lstsq`, and words of the sentence.
CASES = {
    "missing file": (None, "none.npy b.npy", "none.npy: No such file"),
    "missing right-hand side": (None, "A.npy none.csv", "none.csv: No such file"),
    "no suffix": (None, "A b.npy", "cannot tell the format"),
    "unknown suffix": (None, "A.xlsx b.npy", "use .npy, .npz"),
    "folder": (lambda: Path("bad.npy").mkdir(), "bad.npy b.npy", "bad.npy: "),
    "garbage npy": (data(b"garbage", "bad.npy"), "bad.npy b.npy", "not an array"),
    "empty npy": (data(b"", "bad.npy"), "bad.npy b.npy", "not an array"),
    "garbage npz": (data(b"garbage", "bad.npz"), "bad.npz b.npy", "zip"),
    "garbage mtx": (data(b"garbage", "bad.mtx"), "bad.mtx b.npy", "Matrix Market"),
    "garbage csv": (data(bytes(range(256)), "bad.csv"), "bad.csv b.npy", "decode"),
    "garbage csv.gz": (data(b"garbage", "bad.csv.gz"), "bad.csv.gz b.npy", "gzip"),
    "garbage mtx.gz": (data(b"garbage", "bad.mtx.gz"), "bad.mtx.gz b.npy", "bad.mtx.gz: "),
    "truncated gz": (
        data(gzip.compress(b"1,2\n3,4\n" * 999)[:30], "bad.csv.gz"),
        "bad.csv.gz b.npy",
        "bad.csv.gz: ",
    ),
    "truncated npy": (truncated, "bad.npy b.npy", "bad.npy: "),
    "pickle": (data(pickle.dumps([1]), "bad.npy"), "bad.npy b.npy", "pickled"),
    "objects": (array(np.array([1, "a"], object)), "bad.npy b.npy", "pickled"),
    "objects in an archive": (
        lambda: np.savez("bad.npz", np.array([1, "a"], object)),
        "bad.npz b.npy",
        "pickled",
    ),
    "empty archive": (lambda: np.savez("bad.npz"), "bad.npz b.npy", "no arrays"),
    "several arrays": (
        lambda: np.savez("bad.npz", u=A, v=A),
        "bad.npz b.npy",
        "choose one of u, v with --key",
    ),
    "several right-hand sides": (
        lambda: np.savez("bad.npz", u=A, v=A),
        "A.npy bad.npz",
        "with --b-key",
    ),
    "unknown key": (lambda: np.savez("bad.npz", u=A), "bad.npz b.npy --key w", "has no array 'w'"),
    "key without archive": (None, "A.npy b.npy --key w", "only a .npz"),
    "empty csv": (text(""), "bad.csv b.npy", "is empty"),
    "only names": (text("a,b\n"), "bad.csv b.npy", "no numbers"),
    "ragged csv": (text("1,2\n3\n"), "bad.csv b.npy", "number of columns changed"),
    "word in csv": (text("1,2\nx,3\n"), "bad.csv b.npy", "'x'"),
    "hole in csv": (text("1,2\n,3\n"), "bad.csv b.npy", "could not convert"),
    "complex csv": (text("1+2j,3\n"), "bad.csv b.npy", "complex numbers are not read"),
    "complex csv, names": (text("a,b\n1,3-4i\n"), "bad.csv b.npy", "complex numbers are not read"),
    "decimal commas": (text("1,5;2,5\n"), "bad.csv b.npy", "could not convert"),
    "strings": (array(np.array([["a", "b"]])), "bad.npy b.npy", "`A` must hold numbers"),
    "records": (array(np.zeros(3, "f8,f8")), "bad.npy b.npy", "`A` must hold numbers"),
    "dates": (array(np.zeros((3, 2), "M8[s]")), "bad.npy b.npy", "`A` must hold numbers"),
    "vector for a matrix": (None, "b.npy b.npy", "`A` must have two axes"),
    "three axes": (array(np.ones((2, 2, 2))), "bad.npy b.npy", "`A` must have two axes"),
    "lengths differ": (array(np.ones(31)), "A.npy bad.npy", "`b` must have shape (30,)"),
    "three axes of b": (array(np.ones((30, 2, 2))), "A.npy bad.npy", "`b` must have shape"),
    "NaN in A": (with_nan("bad.npy", np.nan), "bad.npy b.npy", "`A` must not contain NaN"),
    "NaN in A, spir": (
        with_nan("bad.npy", np.nan),
        "bad.npy b.npy --method spir",
        "`A` must not contain NaN",
    ),
    "inf in A": (with_nan("bad.npy", np.inf), "bad.npy b.npy", "`A` must not contain NaN"),
    "NaN in b": (with_nan("bad.npy", np.nan, (30,)), "A.npy bad.npy", "`b` must not contain"),
    "NaN in sparse A": (sparse_with_nan, "bad.npz b.npy", "`A` must not contain NaN"),
    "nan in text": (text("1,2\n" * 29 + "nan,3\n"), "bad.csv b.npy", "`A` must not contain NaN"),
    "output suffix": (None, "A.npy b.npy -o x.txt", "use .npy, .csv or .mtx"),
    "output folder": (None, "A.npy b.npy -o none/x.npy", "there is no folder none"),
    "output is a folder": (lambda: Path("x.npy").mkdir(), "A.npy b.npy -o x.npy", "is a folder"),
    "output over input": (None, "A.npy b.npy -o ./b.npy", "will not be overwritten"),
    "complex text": (array(A + 1j), "bad.npy b.npy -o x.csv", "as .npy or .mtx"),
    "rtol": (None, "A.npy b.npy --rtol=-1", "`rtol` must lie in"),
    "rcond": (None, "A.npy b.npy --rcond 2", "`rcond` must lie in"),
    "sketch size": (None, "A.npy b.npy --method spir --sketch-size 2", "`sketch_size`"),
    "gram": (array(np.ones((30, 3))), "bad.npy b.npy --method gram", "method='gram' needs"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_sentence_and_status_1(run, case):
    np.save("A.npy", A)
    np.save("b.npy", np.ones(30))
    make, arguments, words = CASES[case]
    if make is not None:
        make()
    before = sorted(Path().iterdir())
    outcome = run("lstsq", *arguments.split())
    assert outcome.status == 1
    assert outcome.out == ""
    assert outcome.err.startswith("python -m rnla: error: ")
    assert outcome.err.count("\n") == 1
    assert words in outcome.err
    assert sorted(Path().iterdir()) == before


HUGE = 2**60


@pytest.mark.parametrize("name", ["huge.mtx", "huge.npz", "huge.csv"])
def test_what_does_not_fit_in_memory_is_refused(run, monkeypatch, name):
    np.save("b.npy", np.ones(30))
    if name == "huge.mtx":
        banner = "%%MatrixMarket matrix array real general"
        Path(name).write_text(f"{banner}\n{HUGE} 1000\n1.0\n")
    else:
        np.savez(name, A) if name.endswith("npz") else np.savetxt(name, A, delimiter=",")
        monkeypatch.setattr(rnla.cli._memory, "available_memory", lambda: 100.0)
    outcome = run("lstsq", name, "b.npy")
    assert outcome.status == 1
    assert "GiB of memory" in outcome.err


def test_a_sparse_matrix_too_large_for_lapack_is_solved_without_it(run, monkeypatch):
    sp.save_npz("S.npz", sp.random(300, 5, 0.5, format="csr", random_state=0))
    np.save("b.npy", np.ones(300))
    monkeypatch.setattr(rnla.cli._lstsq, "available_memory", lambda: 100.0)
    outcome = run("lstsq", "S.npz", "b.npy", "--compare")
    assert outcome.status == 0
    assert "LAPACK is left out" in outcome.out
    assert "gelsd" not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("demo --rows 20 --columns 30", "1 to 20 columns"),
        ("demo --columns 1798", "1 to 1797 columns"),
        ("demo --rows 900000000000", "GiB of memory"),
        ("demo --output picture.gif", "use .png, .svg or .pdf"),
        ("demo --output none/picture.png", "there is no folder none"),
    ],
)
def test_demo_refuses_before_it_starts(run, arguments, words):
    outcome = run(*arguments.split())
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.count("\n") == 1
    assert words in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        "solve",
        "lstsq A.npy",
        "lstsq A.npy b.npy --method magic",
        "lstsq A.npy b.npy --threads 0",
        "lstsq A.npy b.npy --seed=-1",
        "lstsq A.npy b.npy --seed 1.5",
        "lstsq A.npy b.npy --rtol small",
        "demo --rows 0",
        "info --quick",
    ],
)
def test_a_wrong_command_line_has_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments.split())
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "usage: python -m rnla" in err


def test_no_memory_is_one_sentence(run, problem, monkeypatch):
    def exhausted(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("rnla.lstsq_refine", exhausted)
    outcome = run("lstsq", "A.npy", "b.npy")
    assert outcome.status == 1
    assert outcome.err == "python -m rnla: error: there is not enough memory\n"
