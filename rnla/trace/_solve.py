"""Which method runs, and what becomes of its result."""

from __future__ import annotations

import warnings

import numpy as np

from rnla._core.status import ConvergenceWarning
from rnla.trace._eigenvalues import exact_quadrature, has_entries
from rnla.trace._estimate import Estimate
from rnla.trace._evaluate import SpectralFunction
from rnla.trace._fun_nystrom import fun_nystrom
from rnla.trace._function_estimate import FunctionEstimate
from rnla.trace._input import Operand
from rnla.trace._krylov_aware import deflate
from rnla.trace._options import Options
from rnla.trace._probes import Probes
from rnla.trace._quadrature import SpectralQuadrature
from rnla.trace._sampling import sample
from rnla.trace._vectors import VectorStream

# Up to here LAPACK's eigenvalues take about as long as an estimate.
_DENSE = 2000


def is_small(operand: Operand, options: Options) -> bool:
    """Return whether LAPACK takes over under "auto".

    Parameters
    ----------
    operand : Operand
        The matrix.
    options : Options
        With the products that the caller allows.

    Returns
    -------
    bool
        True where products with all unit vectors are allowed, or the entries are there anyway.
    """
    n = operand.shape[0]
    if options.budget is not None:
        return n <= options.budget
    return n <= _DENSE and (has_entries(operand) or n <= options.goal.limit)


def solve(
    f: SpectralFunction, operand: Operand, options: Options, stream: VectorStream, *, name: str
) -> tuple[SpectralQuadrature, Estimate]:
    """Run a method, or the one that "auto" chooses, on what was checked.

    Parameters
    ----------
    f : callable
        The function.
    operand : Operand
        Hermitian A.
    options : Options
        With the method.
    stream : VectorStream
        Source of randomness, Gaussian.
    name : str
        Of the function, for messages.

    Returns
    -------
    SpectralQuadrature, Estimate
        The rule and what it gives for f.
    """
    method = options.method
    if method == "exact" or (method == "auto" and is_small(operand, options)):
        quadrature = exact_quadrature(operand, options)
        return quadrature, quadrature.estimate(f, name=name)
    deflates = method in ("auto", "krylov_aware")
    if deflates and options.test_vectors not in ("auto", "sphere"):
        raise ValueError(
            f"`test_vectors`={options.test_vectors!r} is of no use to method={method!r}, which "
            "projects vectors and brings them to one length: leave it out, or use method='slq'"
        )
    if method == "fun_nystrom":
        return fun_nystrom(
            f,
            operand,
            options.goal,
            stream.other(0, vector_kind(options, operand)),
            degree=options.degree,
            spectrum=options.spectrum,
            name=name,
        )
    deflation = None
    if deflates:
        X = stream.other(1).columns(0, min(options.block_size, operand.shape[0]))
        deflation = deflate(operand, X, f, options.goal, name=name)
    kind = vector_kind(options, operand) if deflation is None else "sphere"
    probes = Probes(
        operand=operand,
        stream=stream.other(0, kind),
        f=f,
        name=name,
        degree=options.degree,
        spectrum=options.spectrum,
        basis=None if deflation is None else deflation.basis,
        scale=0.0 if deflation is None else float(np.abs(deflation.rule.nodes).max(initial=0.0)),
    )
    return sample(
        probes,
        options.goal,
        method="slq" if deflation is None else "krylov_aware",
        deflated=None if deflation is None else deflation.rule,
    )


def vector_kind(options: Options, operand: Operand) -> str:
    """Return the law of test vectors that are not projected.

    Signs have the smallest variance among real vectors, up to a factor ``(n + 2) / n``; for A of a
    complex dtype numbers of modulus one have half of that where entries are real.
    """
    if options.test_vectors != "auto":
        return options.test_vectors
    return "steinhaus" if operand.dtype.kind == "c" else "signs"


def finish(
    estimate: Estimate, quadrature: SpectralQuadrature | None, operand: Operand
) -> FunctionEstimate:
    """Return the result, and warn the caller's caller where a tolerance was missed."""
    if not estimate.success:
        warnings.warn(
            f"the error bar {float(estimate.radius()):.1e} of {float(estimate.value):.6g} is above "
            f"the tolerance after {estimate.n_matvec} products; {estimate.message}",
            ConvergenceWarning,
            stacklevel=3,
        )
    return FunctionEstimate.of(estimate, quadrature, operand.source)
