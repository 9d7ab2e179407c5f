"""The command line as a process: pipes, signals, exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnla
from rnla.cli import _parser, main

COMMAND = [sys.executable, "-m", "rnla"]
# The package under test, installed or not.
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(rnla.__file__).parents[1])}


def test_without_a_command_it_helps(capsys):
    assert main([]) == 0
    assert "commands:" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", ["--help", "lstsq --help", "demo --help", "bench --help"])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments.split())
    assert stop.value.code == 0
    assert "usage: python -m rnla" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"rnla {rnla.__version__}\n"


def test_in_a_pipe_nothing_but_the_answer(tmp_path):
    np.save(tmp_path / "A.npy", np.eye(50, 3))
    np.save(tmp_path / "b.npy", np.arange(50.0))
    done = subprocess.run(
        [*COMMAND, "lstsq", "A.npy", "b.npy", "--method", "spir"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].split()[0] == "x"


def test_bad_input_in_a_process(tmp_path):
    done = subprocess.run(
        [*COMMAND, "lstsq", "A.npy", "b.npy"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "python -m rnla: error: A.npy: No such file or directory\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_reader_that_has_gone():
    with subprocess.Popen(
        [*COMMAND, "info"], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait() == 141
    assert errors == b""


def test_interrupt(monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(_parser._info, "run", interrupted)
    assert main(["info"]) == 130
    assert capsys.readouterr() == ("", "")
