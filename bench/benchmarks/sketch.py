"""Sketches and sweeps: seconds, memory and passes over A."""

import time

import numpy as np
from _machine import bandwidth
from sketches import check_sketch, kinds

import rnla
from rnla.linalg.normal import as_normal

_ENTRIES = 2_000_000


class _Reading:
    version = f"1-{rnla.get_num_threads()}"
    rounds = 2

    def passes(self, call):
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        return min(seconds) * bandwidth(self.A)[0] / self.A.nbytes


class Sketch(_Reading):
    """``S @ A`` for d = 4 n."""

    params = (list(kinds()), ["C", "F"], [100])
    param_names = ("kind", "order", "n")

    def setup(self, kind, order, n):
        m = _ENTRIES // n
        self.A = np.asarray(np.random.default_rng(0).standard_normal((m, n)), order=order)
        self.S = kinds()[kind](4 * n, m)
        check_sketch(self.S, self.A, self.S @ self.A)

    def time_apply(self, kind, order, n):
        self.S @ self.A

    def peakmem_apply(self, kind, order, n):
        self.S @ self.A

    def track_passes(self, kind, order, n):
        return self.passes(lambda: self.S @ self.A)

    track_passes.unit = "passes"


class Sweep(_Reading):
    """``A.T @ (A @ p)`` in one reading."""

    params = (["C", "F"], [100, 1000])
    param_names = ("order", "n")

    def setup(self, order, n):
        rng = np.random.default_rng(0)
        self.A = np.asarray(rng.standard_normal((_ENTRIES // n, n)), order=order)
        self.p = rng.standard_normal((n, 1))
        self.normal = as_normal(self.A)
        expected = self.A.T @ (self.A @ self.p)
        assert np.allclose(self.normal.normal(self.p), expected, rtol=1e-10)

    def time_sweep(self, order, n):
        self.normal.normal(self.p)

    def track_passes(self, order, n):
        return self.passes(lambda: self.normal.normal(self.p))

    track_passes.unit = "passes"
