"""Newton's methods that are wrong: the suite must reject every one.

Each lowers the objective of a generalised linear model to a few digits and calls itself converged.
"""

import numpy as np

from rnla.sketch import RowSampling, SparseSign


def _sketched_step(problem, x, gradient, rng):
    B = problem.hessian_root(x)
    S = SparseSign.draw(6 * len(x), len(B), rng=rng)
    stacked = np.vstack([S @ B, np.diag(problem.penalty)])
    R = np.linalg.qr(stacked)[1]
    return -np.linalg.solve(R, np.linalg.solve(R.T, gradient))


def sketched_gradient(problem, rng):
    """Sample the gradient like the Hessian: it stops at the sampling error."""
    x = np.zeros(problem.A.shape[1])
    for _ in range(40):
        S = RowSampling.draw(len(problem.A), len(problem.A), rng=rng)
        slopes = S @ problem.slopes(x)
        gradient = (S @ problem.A).T @ slopes + problem.penalty**2 * x
        x = x + 0.5 * _sketched_step(problem, x, gradient, rng)
    return x


def few_steps(problem, rng):
    """Trust the sketched Hessian for the answer: six steps, each off by the sketch's error."""
    x = np.zeros(problem.A.shape[1])
    for _ in range(6):
        x = x + _sketched_step(problem, x, problem.gradient(x), rng)
    return x


def stale_hessian(problem, rng):
    """Keep the first sketch and stop when the objective falls by less than it can resolve."""
    x = np.zeros(problem.A.shape[1])
    start, rule = x, problem.objective(x)
    for _ in range(200):
        x = x + 0.5 * _sketched_step(problem, start, problem.gradient(x), np.random.default_rng(0))
        value = problem.objective(x)
        if abs(value - rule) <= 1e-8 * abs(value):
            break
        rule = value
    return x


def armijo_on_the_objective(problem, rng):
    """Judge every step by the objective: near the optimum it is rounding, and steps are refused."""
    x = np.zeros(problem.A.shape[1])
    value = problem.objective(x)
    for _ in range(50):
        gradient = problem.gradient(x)
        step = _sketched_step(problem, x, gradient, rng)
        length = 1.0
        while problem.objective(x + length * step) > value + 1e-4 * length * (gradient @ step):
            length /= 2
            if length < 1e-6:
                return x
        x = x + length * step
        value = problem.objective(x)
    return x


SOLVERS = [sketched_gradient, few_steps, stale_hessian, armijo_on_the_objective]
