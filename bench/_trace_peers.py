"""Trace estimators of other packages, where they are installed, beside ours."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import rnla


def installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def contenders(A: Any, s: int) -> dict[str, Callable[[int], float]]:
    """Return whoever is installed, each a function of the seed."""
    calls: dict[str, Callable[[int], float]] = {
        "rnla XTrace": lambda seed: rnla.trace(A, s, rng=seed).value,
        "rnla XNysTrace": lambda seed: rnla.trace(A, s, assume="psd", rng=seed).value,
        "rnla Hutch++": lambda seed: rnla.trace(A, s, method="hutchpp", rng=seed).value,
    }
    if installed("jax"):
        import jax

        jax.config.update("jax_enable_x64", True)
        on_device = jax.numpy.asarray(A)
        if installed("matfree"):
            calls |= _matfree(jax, on_device, s)
        if installed("traceax"):
            calls |= _traceax(jax, on_device, s)
    return calls


def _matfree(jax: Any, A: Any, s: int) -> dict[str, Callable[[int], float]]:
    from matfree import stochtrace

    # It counts test vectors: XTrace makes two products for each.
    x_like = jax.numpy.zeros(len(A))
    found = {}
    for label, rule, count in (
        ("matfree XTrace", stochtrace.leave_one_out_xtrace(), s // 2),
        ("matfree XNysTrace", stochtrace.leave_one_out_xnystrace(), s),
    ):
        sampler = stochtrace.sampler_normal(x_like, num=count)
        estimator = stochtrace.estimator_leave_one_out(rule, sampler)
        run = jax.jit(lambda key, estimator=estimator: estimator(lambda v: A @ v, key))
        found[label] = lambda seed, run=run: float(run(jax.random.PRNGKey(seed)))
    return found


def _traceax(jax: Any, A: Any, s: int) -> dict[str, Callable[[int], float]]:
    import lineax
    import traceax

    tags = lineax.positive_semidefinite_tag
    operator = lineax.MatrixLinearOperator(A, tags)
    found = {}
    # It counts products, as we do.
    for label, kind in (
        ("traceax XTrace", traceax.XTraceEstimator),
        ("traceax XNysTrace", traceax.XNysTraceEstimator),
        ("traceax Hutch++", traceax.HutchPlusPlusEstimator),
    ):
        estimator = kind()
        run = jax.jit(lambda key, estimator=estimator: estimator.estimate(key, operator, s)[0])
        found[label] = lambda seed, run=run: float(run(jax.random.PRNGKey(seed)))
    return found
