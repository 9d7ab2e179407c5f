"""How much memory there is, asked before an array is made and not after the process was killed."""

from __future__ import annotations

import os
from pathlib import Path

from rnla.cli._errors import InputError

_GIB = 2**30
_CONTROL_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def available_memory() -> float:
    """Return the bytes that can still be had, infinity where the system does not tell."""
    return min([_system_memory(), *(_group_memory(*files) for files in _CONTROL_GROUPS)])


def check_memory(needed: float, purpose: str, advice: str = "") -> None:
    """Refuse a task that needs more than is available.

    Parameters
    ----------
    needed : float
        Bytes.
    purpose : str
        What needs them: the subject of the sentence.
    advice : str
        What to do instead.

    Raises
    ------
    InputError
        If there is less.
    """
    available = available_memory()
    if needed > available:
        raise InputError(
            f"{purpose} needs about {needed / _GIB:.1f} GiB of memory and "
            f"{available / _GIB:.1f} GiB are available" + (f"; {advice}" if advice else "")
        )


def _system_memory() -> float:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return float("inf")


def _group_memory(limit: str, usage: str) -> float:
    try:
        return float(Path(limit).read_text()) - float(Path(usage).read_text())
    except (OSError, ValueError):
        return float("inf")
