"""The thread pool."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info

from rnla._core import threads as pool
from rnla._core.memory import aligned_zeros


def workers(parts=8):
    seen = set()

    def task(_):
        seen.add(threading.get_ident())
        time.sleep(0.02)

    pool.run_parts(task, [(part,) for part in range(parts)])
    return seen


def test_number_of_threads(threads):
    threads(3)
    assert pool.get_num_threads() == 3
    assert 1 < len(workers()) <= 3
    threads(1)
    assert workers() == {threading.get_ident()}
    threads(None)
    assert pool.get_num_threads() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True])
def test_bad_numbers_of_threads(n):
    before = pool.get_num_threads()
    with pytest.raises(ValueError, match="`n` must be a positive integer or None"):
        pool.set_num_threads(n)
    assert pool.get_num_threads() == before


def test_one_part_runs_in_the_calling_thread(threads):
    threads(2)
    assert workers(1) == {threading.get_ident()}


def test_nested_parts_run_inline(threads):
    threads(2)
    inner = []

    def task(_):
        ident = threading.get_ident()
        pool.run_parts(lambda _: inner.append(threading.get_ident() == ident), [(0,), (1,)])

    pool.run_parts(task, [(0,), (1,)])
    assert inner == [True] * 4


def test_errors_reach_the_caller(threads):
    threads(2)
    done = []

    def task(part):
        if part == 1:
            raise KeyError(part)
        done.append(part)

    with pytest.raises(KeyError):
        pool.run_parts(task, [(part,) for part in range(6)])
    assert sorted(done) == [0, 2, 3, 4, 5]
    assert workers()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("caller", [True, False])
def test_interrupts_wait_for_who_writes_and_reach_the_caller(threads, caller, error):
    threads(2)
    main = threading.get_ident()
    both = threading.Barrier(2)
    finished = []

    def task(_):
        both.wait(10)
        if (threading.get_ident() == main) == caller:
            raise error
        time.sleep(0.05)
        finished.append(True)

    with pytest.raises(error):
        pool.run_parts(task, [(0,), (1,)])
    assert finished == [True]
    assert 1 <= len(workers()) <= 2


def test_an_interrupt_while_waiting_waits_on(threads):
    threads(2)
    main = threading.get_ident()
    both = threading.Barrier(2)
    finished = []

    def task(_):
        both.wait(10)
        if threading.get_ident() != main:
            time.sleep(0.3)
            finished.append(True)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            pool.run_parts(task, [(0,), (1,)])
    finally:
        signal.signal(signal.SIGALRM, before)
    assert finished == [True]


def test_limit_threads_holds_both_pools(threads):
    threads(2)
    with pool.limit_threads(1):
        assert pool.get_num_threads() == 1
        assert {info["num_threads"] for info in threadpool_info()} == {1}
    assert pool.get_num_threads() == 2
    with pytest.raises(ZeroDivisionError), pool.limit_threads(1):
        raise ZeroDivisionError
    assert pool.get_num_threads() == 2


@pytest.fixture
def blas():
    """The BLAS libraries, with two threads each for the length of the test."""
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    before = [each.num_threads for each in libraries]
    try:
        for each in libraries:
            pool._set_blas_threads(each, 2)
        yield libraries
    finally:
        for each, count in zip(libraries, before, strict=True):
            pool._set_blas_threads(each, count)


def numbers(blas):
    return {each.num_threads for each in blas}


def test_blas_is_held_to_one_thread_by_any_thread(blas):
    seen = []

    def hold():
        with pool.single_threaded_blas(), pool.single_threaded_blas():
            seen.append(numbers(blas))

    # threadpoolctl listens to the first thread that sets a limit alone.
    hold()
    other = threading.Thread(target=hold)
    other.start()
    other.join()
    assert seen == [{1}, {1}]
    assert numbers(blas) == {2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_forked_in_between_has_its_threads_back(blas):
    with pool.single_threaded_blas():
        child = os.fork()
        if child == 0:
            held = numbers(blas)
            with pool.single_threaded_blas():
                again = numbers(blas)
            # No exception may leave the child, which would go on with the tests.
            os._exit(0 if (held, again, numbers(blas)) == ({2}, {1}, {2}) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert numbers(blas) == {1}
    assert numbers(blas) == {2}


def test_the_number_may_change_while_others_work(threads):
    stop = threading.Event()
    failures = []

    def use():
        while not stop.is_set():
            total = []
            pool.run_parts(total.append, [(part,) for part in range(5)])
            if sorted(total) != list(range(5)):
                failures.append(total)

    users = [threading.Thread(target=use) for _ in range(3)]
    for user in users:
        user.start()
    for count in [1, 2, 3, None] * 10:
        threads(count)
        time.sleep(0.002)
    stop.set()
    for user in users:
        user.join()
    assert not failures


@pytest.mark.parametrize(("length", "count"), [(10, 3), (3, 10), (1, 1), (7, 7), (100, 8), (0, 4)])
def test_even_parts(length, count):
    parts = pool.even_parts(length, count)
    covered = [i for start, stop in parts for i in range(start, stop)]
    assert covered == list(range(length))
    sizes = [stop - start for start, stop in parts]
    assert len(parts) == max(1, min(length, count))
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("shape", [(0,), (1,), (7, 3), (64,), (3, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_aligned_zeros(shape, dtype):
    for _ in range(5):
        array = aligned_zeros(shape, dtype)
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.size == 0 or array.ctypes.data % 64 == 0
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not array.any()
