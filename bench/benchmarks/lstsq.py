"""Least squares: seconds, memory, errors and passes over A."""

import time

import numpy as np
import scipy.linalg
import scipy.sparse
from _machine import bandwidth
from _problems import randsvd

import rnla

_EPS = np.finfo(np.float64).eps


class Dense:
    """A tall dense matrix, by every method of rnla and by LAPACK."""

    params = ([(20_000, 30), (15_000, 100)], [1e2, 1e10], ["auto", "spir", "gelsd"])
    param_names = ("shape", "condition", "method")
    # Reports only make sense for equal numbers of threads.
    version = f"1-{rnla.get_num_threads()}"
    rounds = 2

    def setup(self, shape, condition, method):
        self.problem = randsvd(*shape, condition=condition, reference=False)
        self.x = self.solve(method)  # compiles
        backward, _ = self.problem.judge(self.x[:, None])
        limit = 100 if method == "gelsd" else 10
        assert backward[0] <= limit * _EPS, f"backward error {backward[0]:.1e}"
        self.backward = backward[0]

    def solve(self, method):
        A, b = self.problem.A, self.problem.b
        if method == "gelsd":
            return scipy.linalg.lstsq(A, b, check_finite=False)[0]
        return rnla.lstsq_refine(A, b, method=method, rng=0).x

    def time_solve(self, shape, condition, method):
        self.solve(method)

    def peakmem_solve(self, shape, condition, method):
        self.solve(method)

    def track_passes(self, shape, condition, method):
        """Seconds in readings of A at the bandwidth of the same minute."""
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            self.solve(method)
            seconds.append(time.perf_counter() - start)
        A = self.problem.A
        return min(seconds) * bandwidth(A)[0] / A.nbytes

    track_passes.unit = "passes"

    def track_backward_error(self, shape, condition, method):
        return float(self.backward / _EPS)

    track_backward_error.unit = "eps"


class Sparse:
    """A tall sparse matrix in CSR form."""

    params = ([(100_000, 50, 0.05), (50_000, 200, 0.02)],)
    param_names = ("shape and density",)
    version = Dense.version
    rounds = 2

    def setup(self, case):
        m, n, density = case
        rng = np.random.default_rng(0)
        self.A = scipy.sparse.random_array((m, n), density=density, format="csr", rng=rng)
        self.b = self.A @ rng.standard_normal(n) + 1e-3 * rng.standard_normal(m)
        result = rnla.lstsq_refine(self.A, self.b, rng=0)
        assert result.backward_error <= 10 * _EPS

    def time_solve(self, case):
        rnla.lstsq_refine(self.A, self.b, rng=0)

    def peakmem_solve(self, case):
        rnla.lstsq_refine(self.A, self.b, rng=0)


class Small:
    """The price of calling rnla where there is nothing to gain."""

    params = ([(10, 3), (200, 20), (500, 500)], ["rnla", "numpy"])
    param_names = ("shape", "solver")
    version = Dense.version

    def setup(self, shape, solver):
        problem = randsvd(*shape, condition=1e3, reference=False)
        self.A, self.b = problem.A, problem.b
        x = self.solve(solver)
        assert problem.judge(x[:, None])[0][0] <= 100 * _EPS

    def solve(self, solver):
        if solver == "numpy":
            return np.linalg.lstsq(self.A, self.b)[0]
        return rnla.lstsq_refine(self.A, self.b, rng=0).x

    def time_solve(self, shape, solver):
        self.solve(solver)
