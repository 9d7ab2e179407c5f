"""The one error of the command line."""

from __future__ import annotations

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
