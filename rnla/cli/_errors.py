"""Errors and warnings as sentences."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


class InputError(Exception):
    """What the user gave cannot be used; the message is one sentence for them."""


@contextmanager
def solver_errors() -> Iterator[None]:
    """Turn the library's complaints about its arguments into sentences for the user."""
    try:
        yield
    except (ValueError, TypeError, np.linalg.LinAlgError) as error:
        raise InputError(str(error)) from error


@contextmanager
def warnings_as_sentences() -> Iterator[None]:
    """Print each warning once, without the line of code that a library's user would want."""
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True, action="always") as caught:
            yield
    finally:
        for sentence in dict.fromkeys(" ".join(str(item.message).split()) for item in caught):
            print(f"warning: {sentence}", file=sys.stderr)
