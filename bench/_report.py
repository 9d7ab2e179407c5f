"""Tables for a terminal, for Markdown and for programs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import _machine


class Report:
    """Rows of one run: printed table by table, written as JSON at the end.

    Parameters
    ----------
    arguments : argparse.Namespace
        Options of the script; ``markdown`` and ``json`` are used here.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.tables: list[dict[str, Any]] = []
        self.machine = _machine.describe()
        print(_machine.head(self.machine), flush=True)

    def table(
        self, title: str, columns: dict[str, str], rows: list[dict[str, Any]], **facts: Any
    ) -> None:
        """Print `rows`; `columns` maps a key to its format, ``facts`` only go to the JSON file."""
        cells = [[_cell(row.get(key), form) for key, form in columns.items()] for row in rows]
        layout = _markdown if self.arguments.markdown else _aligned
        print(f"\n{title}\n\n{layout(list(columns), cells)}", flush=True)
        self.tables.append({"title": title, **facts, "rows": rows})

    def note(self, text: str) -> None:
        """Print a line below a table and keep it with it."""
        print(f"\n{text}", flush=True)
        self.tables[-1].setdefault("notes", []).append(text)

    def finish(self) -> None:
        """Write the JSON file when one was asked for."""
        if self.arguments.json is None:
            return
        options = {key: str(value) for key, value in vars(self.arguments).items()}
        content = {"machine": self.machine, "arguments": options, "tables": self.tables}
        self.arguments.json.parent.mkdir(parents=True, exist_ok=True)
        self.arguments.json.write_text(json.dumps(content, indent=1, default=float) + "\n")


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every script has."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--quick", action="store_true", help="tiny sizes: only to see that it runs")
    result.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    result.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    return result


def shape(text: str) -> tuple[int, int]:
    """Parse ``1000000x100``; ``1e6x100`` too."""
    rows, _, columns = text.lower().partition("x")
    try:
        return int(float(rows)), int(float(columns))
    except ValueError:
        raise argparse.ArgumentTypeError(f"a shape looks like 1e6x100, got {text!r}") from None


def several(convert: Any) -> Any:
    """Return a parser of comma-separated values."""

    def parse(text: str) -> list[Any]:
        return [convert(item) for item in text.split(",")]

    # argparse names the type in its messages.
    parse.__name__ = convert.__name__
    return parse


def _cell(value: Any, form: str) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else format(value, form)


def _aligned(header: list[str], cells: list[list[str]]) -> str:
    lines = [header, *cells]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "  ".join(
            _pad(text, width, k) for k, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in [header, rule, *cells]
    )


def _pad(text: str, width: int, column: int) -> str:
    return text.ljust(width) if column == 0 else text.rjust(width)


def _markdown(header: list[str], cells: list[list[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *cells])
