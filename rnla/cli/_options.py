"""Types of command-line options that several commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]


def positive_int(text: str) -> int:
    """Parse an integer of at least 1; underscores may group its digits."""
    return _integer(text, 1)


def natural_int(text: str) -> int:
    """Parse an integer of at least 0; underscores may group its digits."""
    return _integer(text, 0)


def _integer(text: str, low: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}") from None
    if number < low:
        raise argparse.ArgumentTypeError(f"must be at least {low}, got {number}")
    return number
