"""The surrogates that EPSI can make of its matrix, in the units of the scaled problem."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import as_inexact, check_finite_array, check_int
from rnla.eigen._epsi_problem import (
    HermitianProblem,
    Problem,
    ProductBlock,
    SingularProblem,
)
from rnla.linalg.block import DenseBlock, SparseBlock
from rnla.linalg.nystrom import nystrom_surrogate
from rnla.linalg.range_finder import draw_sketch, find_range
from rnla.linalg.surrogate import Surrogate
from rnla.sketch import SKETCHES

BIASED = "biased_sparse_sign"
FAMILIES = ("nystrom", *sorted(SKETCHES), BIASED)
_ROWS_FACTOR = 6
_COLUMNS_FACTOR = 20
_LEAST_COLUMNS = 100
_LEAST_SHRINK = 0.5
_SPREADS = 2.0


def make_surrogate(
    problem: Problem, sketch: str, sketch_size: int | None, k: int, rng: np.random.Generator
) -> Surrogate:
    """Sketch the scaled H.

    Parameters
    ----------
    problem : Problem
        The matrix.
    sketch : str
        One of `FAMILIES`.
    sketch_size : int or None
        Columns of the test matrix, or rows of the sketch of A.
    k : int
        Pairs wanted.
    rng : Generator
        Advanced.

    Returns
    -------
    Surrogate
        Of H.

    Raises
    ------
    ValueError
        If the size or the family does not fit the problem.
    """
    n = problem.n
    if isinstance(problem, SingularProblem) and sketch != "nystrom":
        # A Hadamard matrix has no more rows than this.
        most = 1 << (problem.A.shape[0] - 1).bit_length() if sketch == "srht" else None
        size = min(_ROWS_FACTOR * n, most or np.inf) if sketch_size is None else sketch_size
        return _row_sketch(problem, sketch, check_int(size, "sketch_size", 1, most), rng)
    size = min(n, max(_LEAST_COLUMNS, _COLUMNS_FACTOR * k)) if sketch_size is None else sketch_size
    size = check_int(size, "sketch_size", 1, n)
    if isinstance(problem, SingularProblem):
        return nystrom_surrogate(ProductBlock(problem), size, "gaussian", 0, rng)
    assert isinstance(problem, HermitianProblem)
    block = ProductBlock(problem)
    if sketch == "nystrom":
        return nystrom_surrogate(block, size, "gaussian", 0, rng)
    if sketch == BIASED:
        raise ValueError(f'`sketch` must not be "{BIASED}" for eigenpairs: it is a row sketch')
    Q = find_range(block, size, 0, "power", sketch, rng)
    T = Q.conj().T @ block.product(Q)
    values, Z = np.linalg.eigh((T + T.conj().T) / 2)
    return Surrogate(
        basis=Q @ Z[:, ::-1],
        values=values[::-1].copy(),
        n_matvec=block.n_matvec,
        n_passes=block.n_passes,
    )


def default_shrink(
    problem: Problem, sketch: str, surrogate: Surrogate, k: int, *, single: bool
) -> float:
    """Return the factor that puts the surrogate's eigenvalues below the Ritz values.

    Parameters
    ----------
    problem : Problem
        The matrix.
    sketch : str
        Family of the surrogate.
    surrogate : Surrogate
        As it was made.
    k : int
        Pairs wanted.
    single : bool
        Whether it is for one vector.

    Returns
    -------
    float
        In [1/2, 1].
    """
    if sketch == BIASED or (single and sketch == "nystrom"):
        return 1.0
    r = surrogate.rank
    if isinstance(problem, SingularProblem) and sketch != "nystrom":
        # The bias that the authors take, and the spread of a sketched eigenvalue.
        d = surrogate.n_matvec
        return max(_LEAST_SHRINK, 1.0 - problem.n / d - _SPREADS * math.sqrt(2.0 / d))
    return max(_LEAST_SHRINK, 1.0 - 2.0 * k / (r - k)) if r > k else 1.0


def _row_sketch(
    problem: SingularProblem, sketch: str, size: int, rng: np.random.Generator
) -> Surrogate:
    """Return ``(S A)^H (S A)`` by the singular value decomposition of the sketch."""
    A = problem.A
    m, n = A.shape
    damping = 1.0
    if sketch == BIASED:
        if size <= n:
            raise ValueError(
                f'`sketch_size` must be more than {n} columns for "{BIASED}", got {size}'
            )
        # E[A_hat] = (1 - n/d) A^H A: too low by what the sketch adds to the largest eigenvalue.
        damping = 1.0 - n / size
        sketch = "sparse_sign"
    S = draw_sketch(sketch, size, m, A.dtype, rng)
    if isinstance(A, DenseBlock):
        B = S.multiply(A.A, "A")
    elif isinstance(A, SparseBlock):
        B = S.multiply(A.rows, "A")
    else:
        B = A.adjoint(S.todense().T).conj().T
    if isinstance(A, (DenseBlock, SparseBlock)):
        A.n_matvec += size
        A.n_passes += 1
    _, s, VH = np.linalg.svd(B * np.asarray(problem.unit, B.real.dtype), full_matrices=False)
    basis = np.ascontiguousarray(VH.conj().T)
    return Surrogate(basis=basis, values=damping * s * s, n_matvec=size, n_passes=1)


def adopt_surrogate(problem: Problem, given: Any) -> Surrogate:
    """Return the caller's surrogate in the units of the scaled problem.

    Parameters
    ----------
    problem : Problem
        The matrix.
    given : Surrogate or array_like, shape (n, n)
        Of A, for singular triplets of ``A^H A``.

    Returns
    -------
    Surrogate
        Of H.

    Raises
    ------
    ValueError
        If its order is not n, or it holds NaN or infinity, or the squares of singular values leave
        the range.
    """
    if not isinstance(given, Surrogate):
        matrix = as_inexact(given, "surrogate")
        if matrix.shape != (problem.n, problem.n):
            raise ValueError(
                f"`surrogate` must have shape {(problem.n, problem.n)}, got {matrix.shape}"
            )
        check_finite_array(matrix, "surrogate")
        given = Surrogate.of_matrix(matrix)
    if given.n != problem.n:
        raise ValueError(f"`surrogate` must have order {problem.n}, got {given.n}")
    check_finite_array(given.basis, "surrogate")
    check_finite_array(given.values, "surrogate")
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = _scaled(given, _factor(problem))
    if not np.isfinite([*scaled.values, scaled.tail]).all():
        raise ValueError(
            "`surrogate` must be left out where squares of singular values leave the range of "
            f"{given.values.dtype}: scale `A`"
        )
    return scaled


def in_units_of_the_caller(problem: Problem, surrogate: Surrogate) -> Surrogate | None:
    """Return the surrogate of A, for singular triplets of ``A^H A``, as the caller knows it.

    Parameters
    ----------
    problem : Problem
        The matrix.
    surrogate : Surrogate
        Of H.

    Returns
    -------
    Surrogate or None
        None where the squares of singular values leave the range.
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        scaled = _scaled(surrogate, 1 / _factor(problem))
    sizes, least = np.abs([*scaled.values, scaled.tail]), np.finfo(scaled.values.dtype).tiny
    in_range = np.isfinite(sizes).all() and sizes.max(initial=0.0) >= least
    return scaled if in_range or not surrogate.values.any() else None


def _factor(problem: Problem) -> np.float64:
    unit = np.float64(problem.unit)
    return unit * unit if isinstance(problem, SingularProblem) else unit


def _scaled(surrogate: Surrogate, factor: float) -> Surrogate:
    values = surrogate.values * np.asarray(factor, surrogate.values.dtype)
    basis: NDArray[Any] = surrogate.basis
    if factor < 0:
        values, basis = values[::-1], basis[:, ::-1]
    return replace(surrogate, basis=basis, values=values, tail=surrogate.tail * factor)
