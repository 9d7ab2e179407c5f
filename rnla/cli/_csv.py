"""Read a matrix from text: any common delimiter, with or without a line of column names."""

from __future__ import annotations

import gzip
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rnla.cli._errors import InputError

_DELIMITERS = ",;\t|"
_COMMENT = "#"


def read_csv(path: str) -> NDArray[np.float64]:
    """Return the numbers of a text file as an array with two axes.

    The delimiter is found in the first line: a comma, a semicolon, a tab, a bar or else blanks.
    One line of column names is skipped; lines that start with ``#`` always are.

    Parameters
    ----------
    path : str
        Compressed if it ends in ``.gz``.

    Returns
    -------
    ndarray, shape (m, n)
        In double precision.

    Raises
    ------
    InputError
        If there are no numbers, if they are complex, or if a line after the first has others
        than numbers.
    """
    with _open_text(path) as file:
        first = _next_content(file)
        if first is None:
            raise InputError(f"{path}: is empty")
        delimiter = next((sign for sign in _DELIMITERS if sign in first), None)
        _refuse_complex(first, delimiter, path)
        lines = file if not _is_numeric(first, delimiter) else chain([first], file)
        second = _next_content(lines)
        if second is None:
            raise InputError(f"{path}: holds no numbers")
        _refuse_complex(second, delimiter, path)
        rows = chain([second], lines)
        try:
            return np.loadtxt(rows, delimiter=delimiter, ndmin=2, comments=_COMMENT)
        except ValueError as error:
            reason = str(error).partition(";")[0].rstrip(".")
            raise InputError(f"{path}: {reason}, not counting column names") from error


def _open_text(path: str) -> IO[str]:
    # Spreadsheets write a byte order mark.
    if path.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return Path(path).open(encoding="utf-8-sig")


def _next_content(lines: Any) -> str | None:
    for line in lines:
        content = line.partition(_COMMENT)[0].strip()
        if content:
            return str(line)
    return None


def _tokens(line: str, delimiter: str | None) -> list[str]:
    content = line.partition(_COMMENT)[0].strip()
    return [token.strip() for token in content.split(delimiter)]


def _is_numeric(line: str, delimiter: str | None) -> bool:
    # An empty field or a single word among numbers is an error for the reader to name.
    for token in _tokens(line, delimiter):
        with suppress(ValueError):
            float(token)
            return True
    return False


def _refuse_complex(line: str, delimiter: str | None, path: str) -> None:
    for token in _tokens(line, delimiter):
        number = token.lower().strip("() ").replace("i", "j")
        if number.endswith("j") and any(map(str.isdigit, number)):
            with suppress(ValueError):
                complex(number)
                raise InputError(
                    f"{path}: complex numbers are not read from text; use .npy or .mtx"
                )
