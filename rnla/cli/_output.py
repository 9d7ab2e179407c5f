"""Write a solution to a file, and find out beforehand whether that will work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import mmwrite

from rnla.cli._errors import InputError
from rnla.cli._files import suffix_of

WRITABLE = (".npy", ".csv", ".mtx")


def check_output(path: str, suffixes: Sequence[str], inputs: Sequence[str] = ()) -> None:
    """Refuse an output file that could not be written in the end.

    Parameters
    ----------
    path : str
        The file.
    suffixes : sequence of str
        The accepted ones.
    inputs : sequence of str
        Files that must not be overwritten.

    Raises
    ------
    InputError
        If the suffix is another, the folder is missing or closed, or the file is an input.
    """
    file = Path(path)
    if suffix_of(path) not in suffixes:
        known = ", ".join(suffixes[:-1]) + f" or {suffixes[-1]}"
        raise InputError(f"{path}: cannot write this format; use {known}")
    if not file.parent.is_dir():
        raise InputError(f"{path}: there is no folder {file.parent}")
    if file.is_dir():
        raise InputError(f"{path}: is a folder")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise InputError(f"{path}: may not be written")
    for other in inputs:
        if file.exists() and Path(other).exists() and file.samefile(other):
            raise InputError(f"{path}: is an input and will not be overwritten")


def check_writes_complex(path: str) -> None:
    """Refuse text for a complex solution."""
    if suffix_of(path) == ".csv":
        raise InputError(f"{path}: the solution is complex; write it as .npy or .mtx")


def write_solution(path: str, x: NDArray[Any]) -> None:
    """Write `x`, to the last digit in every format."""
    suffix = suffix_of(path)
    try:
        if suffix == ".npy":
            with Path(path).open("wb") as file:
                np.save(file, x, allow_pickle=False)
        elif suffix == ".csv":
            np.savetxt(path, x, fmt="%.9g" if x.dtype == np.float32 else "%.17g", delimiter=",")
        else:
            with Path(path).open("wb") as file:
                mmwrite(file, x.reshape(len(x), -1), precision=17)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
