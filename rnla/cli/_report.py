"""Numbers, tables and JSON as the commands print them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_SHORT = 0.01


def seconds(value: float) -> str:
    """Format a duration to about the precision that a measurement has."""
    if value >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}" if value >= _SHORT else f"{value:.5f}"


def tiny(value: float) -> str:
    """Format an error or a condition number."""
    return f"{value:.1e}" if math.isfinite(value) else "-"


def ratio(value: float) -> str:
    """Format a quotient of durations."""
    return f"{value:.2f}" if math.isfinite(value) else "-"


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns under their names: the first flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for cells in (header, ["-" * width for width in widths], *rows):
        first, *rest = cells
        padded = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *padded]))


def print_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        print(f"{name.ljust(width)}  {value}")


def print_json(values: dict[str, Any]) -> None:
    """Print as JSON, a line per key; numbers that JSON lacks (infinity, NaN) become null."""
    lines = [
        f"  {json.dumps(key)}: {json.dumps(plain(value), allow_nan=False)}"
        for key, value in values.items()
    ]
    print("{\n" + ",\n".join(lines) + "\n}")


def plain(value: Any) -> Any:
    """Return `value` built of what JSON knows; complex arrays become real and imaginary parts."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind == "c":
            return {"real": plain(value.real), "imag": plain(value.imag)}
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
