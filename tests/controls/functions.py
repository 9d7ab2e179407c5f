"""Traces of functions that are wrong: the suite must reject every one."""

from dataclasses import replace

import numpy as np

from rnla import Estimate, Status


def without_bias(estimate):
    """Take the spread of the samples for all of the error."""
    return replace(estimate, bias=0.0)


def sign_lost(estimate):
    """Return the modulus, as if determinants were at least one."""
    return replace(estimate, value=abs(estimate.value))


def without_breakdown(f, A, starts, steps=5):
    """Run Lanczos on, whatever is left of a vector, and without looking back."""
    samples = []
    for x in starts.T:
        alpha, beta = [], []
        before, v, b = np.zeros_like(x), x / np.linalg.norm(x), 0.0
        for _ in range(steps):
            w = A @ v - b * before
            alpha.append(v @ w)
            w -= alpha[-1] * v
            b = np.linalg.norm(w)
            beta.append(b)
            with np.errstate(invalid="ignore"):
                before, v = v, w / b
        T = np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1)
        if not np.isfinite(T).all():
            samples.append(np.nan)
            continue
        nodes, S = np.linalg.eigh(T)
        samples.append(x @ x * (S[0] ** 2 @ f(nodes)))
    samples = np.array(samples)
    return Estimate(
        value=samples.mean(),
        stderr=samples.std(ddof=1) / np.sqrt(len(samples)),
        n_matvec=steps * len(samples),
        method="slq",
        status=Status.COMPLETED,
        message="",
        history=np.zeros((1, 2)),
    )
