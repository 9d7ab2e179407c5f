"""Assertions and matrices with known answers, for tests of linear algebra code.

Examples
--------
>>> import rnla
>>> from rnla.testing import lstsq_problem
>>> problem = lstsq_problem(500, 20, condition=1e8, residual=1e-3, rng=0)
>>> result = rnla.lstsq_refine(problem.A, problem.b, rng=1)
>>> bool(abs(result.x - problem.x).max() < 1e-3)
True
"""

from rnla.testing._assertions import assert_adjoint, assert_orthonormal
from rnla.testing._problems import (
    LstsqProblem,
    coherent,
    haar,
    hilbert,
    laeuchli,
    lstsq_problem,
    prolate,
    vandermonde,
)

__all__ = [
    "LstsqProblem",
    "assert_adjoint",
    "assert_orthonormal",
    "coherent",
    "haar",
    "hilbert",
    "laeuchli",
    "lstsq_problem",
    "prolate",
    "vandermonde",
]
