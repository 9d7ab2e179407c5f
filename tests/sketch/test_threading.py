"""Operators in many threads and after a fork."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cases import all_operators


@all_operators
def test_eight_threads_share_one_operator(operator, rng):
    S = operator(37, 5000, rng=rng)
    X = rng.standard_normal((5000, 70))
    expected = S @ X, S.T @ (S @ X)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(lambda: (S @ X, S.T @ (S @ X))) for _ in range(24)]
    for future in futures:
        for ours, theirs in zip(future.result(), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


SCRIPT = """
import os
import numpy as np
from rnla.sketch import SRHT, Gaussian, SparseSign

X = np.random.default_rng(0).standard_normal((5000, 200))
sketches = [cls.draw(40, 5000, rng=0) for cls in (SRHT, Gaussian, SparseSign)]
expected = [S @ X for S in sketches]
child = os.fork()
if child == 0:
    same = all(np.array_equal(S @ X, E) for S, E in zip(sketches, expected))
    os._exit(0 if same else 3)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_fork_after_use():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=120)
