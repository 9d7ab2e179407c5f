"""One line on the terminal that says how far the work is; nothing at all in a pipe."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import Self

import numpy as np

from rnla._core.driver import Callback, State

_BAR = 24
_REFRESH = 0.1


class Progress:
    """Rewrites one line of standard error if that is a terminal.

    Used in a ``with`` statement, which wipes the line at the end, also after an error.
    """

    def __init__(self) -> None:
        self.visible = sys.stderr.isatty()
        self._width = 0
        self._last = -np.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def show(self, text: str, fraction: float | None = None) -> None:
        """Show `text`, after a bar if a fraction is given; bars are redrawn ten times a second."""
        if not self.visible:
            return
        now = time.monotonic()
        if fraction is not None:
            if now - self._last < _REFRESH and 0 < fraction < 1:
                return
            full = round(_BAR * min(max(fraction, 0.0), 1.0))
            text = f"[{'#' * full}{'.' * (_BAR - full)}] {text}"
        self._last = now
        text = text[: shutil.get_terminal_size().columns - 1]
        self._write(text.ljust(self._width))
        self._width = len(text)

    def clear(self) -> None:
        """Wipe the line."""
        if self._width:
            self._write(" " * self._width + "\r")
            self._width = 0

    def follow(self, label: str, tolerance: float) -> Callback | None:
        """Return a solver's callback: the bar is the way from the first error to `tolerance`."""
        if not self.visible:
            return None
        first: float | None = None

        def callback(state: State) -> None:
            nonlocal first
            error = max(state.error, np.finfo(np.float64).tiny)
            first = error if first is None else first
            way = np.log(first / tolerance)
            fraction = float(np.log(first / error) / way) if way > 0 else 1.0
            self.show(f"{label}: step {state.n_iter}, backward error {error:.1e}", fraction)

        return callback

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write("\r" + text)
        sys.stderr.flush()
