"""Same seed, same bits: for any number of threads, and without touching anybody's state."""

import os
import random
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
from lstsq_cases import gaussian
from scipy.sparse.linalg import aslinearoperator
from threadpoolctl import threadpool_info, threadpool_limits

import rnla
from rnla import lstsq_refine
from rnla.linalg.normal import _dense
from rnla.testing import lstsq_problem

FORMS = [np.asarray, np.asfortranarray, scipy.sparse.csr_array, aslinearoperator]


def bits(result):
    return result.x.tobytes(), result.history.tobytes(), result.residual_norm, result.n_passes


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_same_seed_same_bits(dtype, form, rng):
    A, b, _ = lstsq_problem(3000, 24, condition=1e6, residual=0.1, rng=rng, dtype=dtype)
    A = form(A)
    first = lstsq_refine(A, b, method="spir", rng=7)
    assert bits(lstsq_refine(A, b, method="spir", rng=7)) == bits(first)
    assert bits(lstsq_refine(A, b, method="spir", rng=8)) != bits(first)


@pytest.mark.parametrize(
    "make",
    [
        lambda: 5,
        lambda: np.int64(5),
        lambda: [5],
        lambda: np.random.SeedSequence(5),
        lambda: np.random.PCG64(5),
        lambda: np.random.default_rng(5),
    ],
    ids=["int", "int64", "list", "SeedSequence", "BitGenerator", "Generator"],
)
def test_every_form_of_a_seed(make, rng):
    A, b, _ = lstsq_problem(2000, 20, condition=1e4, residual=0.1, rng=rng)
    assert bits(lstsq_refine(A, b, method="spir", rng=make())) == bits(
        lstsq_refine(A, b, method="spir", rng=5)
    )


def test_a_generator_moves_on(rng):
    A, b, _ = lstsq_problem(2000, 20, condition=1e4, residual=0.1, rng=rng)
    generator = np.random.default_rng(5)
    first = lstsq_refine(A, b, method="spir", rng=generator)
    second = lstsq_refine(A, b, method="spir", rng=generator)
    assert bits(first) != bits(second)


def test_no_seed_is_a_fresh_seed(rng):
    A, b, _ = lstsq_problem(2000, 20, condition=1e4, residual=0.1, rng=rng)
    assert bits(lstsq_refine(A, b, method="spir")) != bits(lstsq_refine(A, b, method="spir"))


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("method", ["spir", "gram", "lapack"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_any_number_of_threads_gives_the_same_bits(dtype, method, form, rng, threads):
    A, b, _ = lstsq_problem(4000, 40, condition=1e3, residual=0.1, rng=rng, dtype=dtype)
    A, results = form(A), []
    for n in (1, 2, 4):
        threads(n)
        results.append(bits(lstsq_refine(A, b, method=method, rng=7)))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("condition", [1e3, 1e17])
def test_any_number_of_threads_for_several_columns_and_deficient_rank(condition, rng, threads):
    A, b, _ = lstsq_problem(6000, 40, condition=condition, residual=0.1, rng=rng)
    B, results = np.column_stack([b, gaussian(6000, 2, rng)]), []
    for n in (1, 2, 4):
        threads(n)
        results.append(lstsq_refine(A, B, method="spir", rng=7).x.tobytes())
    assert results[0] == results[1] == results[2]


def test_eight_python_threads(rng):
    A, b, _ = lstsq_problem(5000, 30, condition=1e6, residual=0.1, rng=rng)
    forms = [form(A) for form in FORMS]
    expected = [
        bits(lstsq_refine(form, b, method="spir", rng=seed)) for seed, form in enumerate(forms)
    ]
    found, start = {}, threading.Barrier(8)

    def work(name):
        start.wait()
        for seed, form in enumerate(forms):
            found[name, seed] = bits(lstsq_refine(form, b, method="spir", rng=seed))

    workers = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 8 * len(forms)
    for (_, seed), result in found.items():
        assert result == expected[seed]


def test_threads_may_change_while_others_solve(rng, threads):
    A, b, _ = lstsq_problem(8000, 30, condition=1e6, residual=0.1, rng=rng)
    expected, found = bits(lstsq_refine(A, b, method="spir", rng=0)), []

    def work():
        found.extend(bits(lstsq_refine(A, b, method="spir", rng=0)) for _ in range(4))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    n = 0
    while any(worker.is_alive() for worker in workers):
        n += 1
        threads(1 + n % 4)
        workers[n % 3].join(0.002)
    assert len(found) == 12
    assert set(found) == {expected}


@pytest.mark.parametrize("method", ["auto", "spir", "gram", "lapack"])
def test_blas_keeps_its_threads(method, rng, monkeypatch):
    # Limits of BLAS are global: set and undone by overlapping threads, they may stay set.
    A, b, _ = lstsq_problem(30_000, 16, condition=10, residual=0.1, rng=rng)
    lstsq_refine(A, b, method=method, rng=0)
    real = _dense._add_gram

    def slow(*arguments):
        time.sleep(0.01)
        real(*arguments)

    monkeypatch.setattr(_dense, "_add_gram", slow)

    def blas_threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    original = blas_threads()
    threadpool_limits(3, user_api="blas")
    before = blas_threads()
    workers = [
        threading.Thread(target=lstsq_refine, args=(A, b), kwargs={"method": method, "rng": 0})
        for _ in range(3)
    ]
    try:
        for worker in workers:
            worker.start()
            time.sleep(0.03)
        for worker in workers:
            worker.join()
        assert blas_threads() == before
    finally:
        threadpool_limits(original[0], user_api="blas")


def test_layouts_agree_to_roundoff(rng):
    A, b, _ = lstsq_problem(3000, 24, condition=1e3, residual=0.1, rng=rng)
    answers = [lstsq_refine(form(A), b, method="spir", rng=7).x for form in FORMS]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=1e-11)


def run_everything(rng):
    A, b, _ = lstsq_problem(1500, 12, condition=1e3, residual=0.1, rng=rng)
    for method in ("auto", "spir", "gram", "lapack"):
        for form in FORMS:
            lstsq_refine(form(A), b, method=method)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lstsq_refine(A, b, method="spir", maxiter=1)
    rnla.lstsq.choose_method(A, b)
    rnla.lstsq.backward_error(A, b, np.zeros(12))


def test_no_global_state_is_touched(rng, capfd):
    np.random.seed(0)  # noqa: NPY002 -- the global state is what is looked at
    random.seed(0)
    before = np.random.get_state()  # noqa: NPY002
    plain, filters, errors = random.getstate(), list(warnings.filters), np.geterr()
    environment = dict(os.environ)
    run_everything(rng)
    after = np.random.get_state()  # noqa: NPY002
    assert before[0] == after[0]
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    assert random.getstate() == plain
    assert warnings.filters == filters
    assert np.geterr() == errors
    environment["PYTEST_CURRENT_TEST"] = os.environ["PYTEST_CURRENT_TEST"]
    assert dict(os.environ) == environment
    assert capfd.readouterr() == ("", "")


def test_other_error_settings_of_numpy_do_no_harm(rng):
    A, b, _ = lstsq_problem(1500, 12, condition=1e3, residual=0.1, rng=rng)
    expected = [bits(lstsq_refine(A, b, method=m, rng=0)) for m in ("spir", "gram", "lapack")]
    with np.errstate(all="raise"):
        found = [bits(lstsq_refine(A, b, method=m, rng=0)) for m in ("spir", "gram", "lapack")]
        lstsq_refine(np.zeros((300, 4)), b[:300], method="spir", rng=0)
        lstsq_refine(A, 0 * b, method="spir", rng=0)
        lstsq_refine(np.hstack([A, A]), b, method="spir", rng=0)
        lstsq_refine(A, A @ np.ones(12), method="spir", rng=0)
    assert found == expected


FORK = """
import multiprocessing, sys
import numpy as np
import rnla
A = np.random.default_rng(0).standard_normal((20000, 30))
b = A @ np.ones(30)
x = rnla.lstsq_refine(A, b, method="spir", rng=0).x

def child(seed):
    return rnla.lstsq_refine(A, b, method="spir", rng=0).x.tobytes()

with multiprocessing.get_context("fork").Pool(2) as pool:
    for found in pool.map_async(child, range(4)).get(timeout=60):
        assert found == x.tobytes()
print("same")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork_after_use():
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "same", done.stderr
