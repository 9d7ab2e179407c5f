"""Interleaved timing: every contender once per round, so that a slow minute hits all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

# BLAS threads spin for a moment after a call and would slow whoever comes next.
_SETTLE = 0.1
_SLOW, _SLOW_RUNS = 10.0, 3
_VERY_SLOW, _VERY_SLOW_RUNS = 60.0, 1


def once(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that one call takes, and what it returns."""
    time.sleep(_SETTLE)
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def interleaved(
    calls: dict[str, Callable[[int], Any]],
    repeat: int,
    counted: dict[str, list[float]] | None = None,
) -> dict[str, list[float]]:
    """Time each call `repeat` times in turns; it is given the number of the round.

    Slow calls are repeated less often. Runs in `counted` are taken as done already.
    """
    seconds = {name: list((counted or {}).get(name, ())) for name in calls}
    for turn in range(repeat):
        for name, call in calls.items():
            if len(seconds[name]) < _runs(seconds[name], repeat):
                seconds[name].append(once(lambda call=call, turn=turn: call(turn))[0])
    return seconds


def _runs(seconds: list[float], repeat: int) -> int:
    longest = max(seconds, default=0.0)
    if longest > _VERY_SLOW:
        return min(_VERY_SLOW_RUNS, repeat)
    if longest > _SLOW:
        return min(_SLOW_RUNS, repeat)
    return repeat


def batched(
    calls: dict[str, Callable[[], Any]], rounds: int, budget: float
) -> dict[str, list[float]]:
    """Time short calls: in every round a batch of each, about `budget` seconds long.

    Returns the mean seconds of each batch, so noise shorter than a batch averages out.
    """
    sizes = {}
    for name, call in calls.items():
        call()
        sizes[name] = max(1, int(budget / max(1e-9, once(call)[0])))
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            size = sizes[name]
            elapsed, _ = once(lambda call=call, size=size: [call() for _ in range(size)] and None)
            seconds[name].append(elapsed / size)
    return seconds
