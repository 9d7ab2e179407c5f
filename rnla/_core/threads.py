"""One small thread pool for serial kernels that release the GIL.

The work is cut into parts by the caller, never by the thread count, so results are the same bits
for every number of threads.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

from threadpoolctl import ThreadpoolController, threadpool_limits

# How often threads look for each other in a kernel before the processor is left to others, and for
# how many seconds.
LOOKS, _PAUSE = 1 << 16, 5e-5

_lock = threading.Lock()
_inside = threading.local()
_pool: ThreadPoolExecutor | None = None
_limit: int | None = None


def _available() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def get_num_threads() -> int:
    """Return how many threads rnla's kernels may use.

    Returns
    -------
    int
        The number set with `set_num_threads`, else the processors this process may run on.

    Examples
    --------
    >>> import rnla
    >>> rnla.get_num_threads() >= 1
    True
    """
    return _available() if _limit is None else _limit


def set_num_threads(n: int | None) -> None:
    """Set how many threads rnla's kernels may use, process-wide.

    Results do not depend on it: they are equal to the last bit for every number of threads.
    BLAS and LAPACK keep their own settings; `limit_threads` holds both.

    Parameters
    ----------
    n : int or None
        At least 1; None returns to the number of processors this process may run on.

    Raises
    ------
    ValueError
        If `n` is not a positive integer.

    Examples
    --------
    >>> import rnla
    >>> rnla.set_num_threads(2)
    >>> rnla.get_num_threads()
    2
    >>> rnla.set_num_threads(None)
    """
    global _limit, _pool
    value: object = n
    if n is not None and (isinstance(value, bool) or not isinstance(value, int) or n < 1):
        raise ValueError(f"`n` must be a positive integer or None, got {n!r}")
    with _lock:
        if n != _limit:
            _limit = n
            if _pool is not None:
                # Running tasks finish on the old pool, the next call makes a new one.
                _pool.shutdown(wait=False)
            _pool = None


@contextmanager
def limit_threads(n: int) -> Iterator[None]:
    """Hold rnla's kernels, BLAS and LAPACK to `n` threads inside a ``with`` block.

    Parameters
    ----------
    n : int
        At least 1.

    Yields
    ------
    None
        Nothing; the previous numbers return at the end of the block.

    Examples
    --------
    >>> import rnla
    >>> with rnla.limit_threads(1):
    ...     rnla.get_num_threads()
    1
    """
    before = _limit
    set_num_threads(n)
    try:
        with threadpool_limits(n):
            yield
    finally:
        set_num_threads(before)


_blas_lock = threading.Lock()
_blas_users = 0
_blas: ThreadpoolController | None = None
_blas_limits: list[tuple[Any, int]] = []


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold BLAS to one thread while kernels' threads call it, until the last user has left.

    The limit is global: set and restored by overlapping callers, it would stay at one.

    Yields
    ------
    None
        Nothing.
    """
    global _blas, _blas_users, _blas_limits
    with _blas_lock:
        if _blas_users == 0:
            # Looking for the libraries reads the whole memory map: a millisecond, so once.
            _blas = _blas or ThreadpoolController().select(user_api="blas")
            _blas_limits = [(each, each.num_threads) for each in _blas.lib_controllers]
            for each, _ in _blas_limits:
                _set_blas_threads(each, 1)
        _blas_users += 1
    try:
        yield
    finally:
        with _blas_lock:
            # In a child that was forked in here nobody is counted any more.
            if _blas_users:
                _blas_users -= 1
                if _blas_users == 0:
                    _restore_blas()


def _set_blas_threads(library: Any, count: int) -> None:
    # threadpoolctl lets only one thread set OpenBLAS, and ignores the others. We have a lock.
    getattr(library, "_real_set_num_threads", library.set_num_threads)(count)


def _restore_blas() -> None:
    for each, count in _blas_limits:
        _set_blas_threads(each, count)


def run_parts(task: Callable[..., None], parts: Iterable[tuple[object, ...]]) -> None:
    """Call `task(*part)` for every part, with the pool's help when there is more than one.

    Parameters
    ----------
    task : callable
        Spends its time in kernels that release the GIL; parts must not write to the same memory.
    parts : iterable of tuple
        Arguments of each call.
    """
    parts = list(parts)
    helpers = min(get_num_threads(), len(parts)) - 1
    if helpers < 1 or getattr(_inside, "worker", False):
        for part in parts:
            task(*part)
        return
    queue = deque(enumerate(parts))
    errors: list[tuple[int, BaseException]] = []

    def work() -> None:
        while True:
            try:
                index, part = queue.popleft()
            except IndexError:
                return
            try:
                task(*part)
            except BaseException as error:  # raised below, once nobody writes any more
                errors.append((index, error))
                if not isinstance(error, Exception):
                    queue.clear()

    futures: list[Future[None]] = []
    try:
        # Submitted under the lock, so that no other thread can shut the pool down in between.
        with _lock:
            pool = _get_pool()
            # When the interpreter ends the pool is closed, and the caller works alone.
            with suppress(RuntimeError):
                futures.extend(pool.submit(work) for _ in range(helpers))
        # The caller works too: waking a helper may take longer than a small part.
        _inside.worker = True
        work()
    finally:
        _inside.worker = False
        queue.clear()
        _wait_for([future for future in futures if not future.cancel()])
    if errors:
        raise min(errors, key=lambda item: item[0])[1]


def _wait_for(futures: list[Future[None]]) -> None:
    """Wait in spite of interrupts, which are raised afterwards: helpers write to our arrays."""
    interrupt: BaseException | None = None
    while True:
        try:
            wait(futures)
            break
        except BaseException as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


def take_turns(take_part: Callable[[], bool], threads: int) -> None:
    """Let threads take part in a kernel where they wait for each other.

    Such a kernel hands out its parts by counters, and whoever comes late, or never, only leaves
    more of them to the others.

    Parameters
    ----------
    take_part : callable
        Calls the kernel and tells whether all is done; after `LOOKS` looks in vain it gives way.
    threads : int
        How many at the most.
    """

    def task(_: int) -> None:
        while not take_part():
            time.sleep(_PAUSE)

    run_parts(task, [(thread,) for thread in range(threads)])


def even_parts(length: int, count: int) -> list[tuple[int, int]]:
    """Cut `range(length)` into at most `count` non-empty pieces of nearly equal size.

    Parameters
    ----------
    length : int
        How many items there are.
    count : int
        How many pieces at the most.

    Returns
    -------
    list of (int, int)
        Start and stop of each piece.
    """
    count = max(1, min(count, length))
    edges = [length * part // count for part in range(count + 1)]
    return list(pairwise(edges))


def _get_pool() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(
            max_workers=max(1, get_num_threads() - 1),
            thread_name_prefix="rnla",
            initializer=_mark_worker,
        )
    return _pool


def _mark_worker() -> None:
    # A kernel called from a worker runs there: waiting for the pool inside it could deadlock.
    _inside.worker = True


def _forget_pool() -> None:
    # Threads do not survive a fork, and the lock may have been held by one that is gone.
    global _pool, _lock, _blas_lock, _blas_users
    _pool = None
    if _blas_users:
        _restore_blas()
    _blas_lock, _blas_users = threading.Lock(), 0
    _lock = threading.Lock()
    _inside.worker = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
