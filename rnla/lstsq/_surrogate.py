"""From a sketch to a preconditioner and a first answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.rng import RNGLike
from rnla.linalg.factor import triangular_factor
from rnla.linalg.normal import NormalOperator
from rnla.linalg.precondition import Preconditioner, preconditioner_from_factor
from rnla.lstsq._choose import check_sketch_size
from rnla.lstsq._cost import default_sketch_size
from rnla.lstsq._methods import SketchedMethod
from rnla.lstsq._problem import Problem
from rnla.sketch import SketchingOperator
from rnla.sketch._families import SKETCHES

_ZETA = 8
# Spare columns where parameters rely on the distortion, which is less certain for few columns.
_SPARE = 8
# A factor from a sketch of d rows stretches squares by d / (d - n) on average.
_PROBES, _LEAST_STRETCH, _MOST_STRETCH = 8, 0.25, 10.0
# Length of a guess's image, in lengths of b, that is worth a look: 2, and what a sketch may err.
_MOST_LENGTH = 10.0


@dataclass(frozen=True)
class Surrogate:
    """What the sketch gives.

    Attributes
    ----------
    P : Preconditioner
        From the triangular factor of the sketch, shape (n, rank).
    X : ndarray, shape (n, k)
        Solution of the sketched problem, or the caller's guess where that is better.
    distortion : float
        ``n / d``, the square of the distortion that is expected of the sketch.
    """

    P: Preconditioner
    X: NDArray[Any]
    distortion: float


def sketched(
    problem: Problem, method: SketchedMethod, rng: RNGLike, factor: int | None = None
) -> Surrogate:
    """Sketch A and b, factor, solve the sketched problem; or take the caller's preconditioner.

    Parameters
    ----------
    problem : Problem
        The checked problem.
    method : SketchedMethod
        Its sketch and sketch size.
    rng : RNGLike
        Source of the sketch.
    factor : int or None
        Default sketch rows per column; None: from the cost model.

    Returns
    -------
    Surrogate
        Preconditioner and first answer.
    """
    A, B = problem.A, problem.B
    n = A.shape[1]
    if problem.P is not None:
        _check_belongs(problem.P, A)
        X = np.zeros((n, B.shape[1]), A.dtype)
        if problem.X0 is not None:
            X = plausible_start(problem.X0, B, problem.P)
        return Surrogate(problem.P, X, 0.5)
    S = sketching_operator(method, A, rng, factor)
    SA = A.sketch(S)
    if not np.isfinite(SA).all():
        A.check_finite()
        raise np.linalg.LinAlgError("the sketch of `A` overflowed; scale `A` down")
    # The product of a caller's operator may be shared with it, or with A.
    owned = isinstance(method.sketch, str)
    R, C, scale = triangular_factor(SA, A.sketch_rhs(S, B), overwrite=owned)
    del SA
    P = preconditioner_from_factor(R, scale, problem.rcond)
    X = better_start(problem, P, P.surrogate_solution(C))
    return Surrogate(P, X, min(0.9, n / S.shape[0]))


def _check_belongs(P: Preconditioner, A: NormalOperator) -> None:
    """Raise unless ``A P`` keeps the lengths of random vectors, as the certificate assumes."""
    if P.rank == 0:
        return
    V = np.random.default_rng(0).standard_normal((P.rank, _PROBES)).astype(A.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        Z = P.rmatmat(A.normal(P.matmat(V)))
        stretch = float(np.vdot(V, Z).real / np.vdot(V, V).real)
    if not _LEAST_STRETCH <= stretch <= _MOST_STRETCH:
        raise ValueError(
            "`preconditioner` does not belong to this `A` with its weights and damping: "
            f"||A P v||^2 is {stretch:.1e} ||v||^2 on random v, not about 1; leave it out"
        )


def sketching_operator(
    method: SketchedMethod, A: NormalOperator, rng: RNGLike, factor: int | None = None
) -> SketchingOperator:
    """Return the operator that the method names, drawn for the rows of A."""
    m, n = A.sketched_rows, A.shape[1]
    if isinstance(method.sketch, SketchingOperator):
        S = method.sketch
        if S.shape[1] != m or S.shape[0] < n:
            raise ValueError(
                f"`sketch` must have shape (d, {m}) with d at least {n}, got {S.shape}"
            )
        return S
    if A.shape[0] < n:
        raise ValueError(
            f"method={method.name!r} needs m >= n, got shape {A.shape}; use method='spir' "
            "or 'lapack'"
        )
    if method.sketch_size is not None:
        d = check_sketch_size(method.sketch_size, m, n)
    else:
        d = default_sketch_size(m, n) if factor is None else min(m, factor * (n + _SPARE))
    dtype = np.float32 if A.stored_dtype.char in "fF" else np.float64
    options = {"zeta": min(_ZETA, d)} if method.sketch == "sparse_sign" else {}
    drawn: SketchingOperator = SKETCHES[method.sketch].draw(d, m, rng=rng, dtype=dtype, **options)
    return drawn


def better_start(problem: Problem, P: Preconditioner, X: NDArray[Any]) -> NDArray[Any]:
    """Return, column by column, the caller's guess where it has the smaller error than `X`.

    The error ``||A (x - x_exact)||`` is measured by ``||P^H A^H (b - A x)||``: one reading of A.
    """
    if problem.X0 is None:
        return X
    X0 = plausible_start(problem.X0, problem.B, P)
    k = X.shape[1]
    B = np.hstack([problem.B, problem.B])
    G, _ = problem.A.gradient(np.hstack([X, X0]), B)
    size = np.linalg.norm(P.rmatmat(G), axis=0)
    return np.where(size[k:] < size[:k], X0, X)


def plausible_start(X0: NDArray[Any], B: NDArray[Any], P: Preconditioner) -> NDArray[Any]:
    """Return the part of a guess that `P` can reach, and zero where zero is clearly better.

    A guess with ``||A x|| > 2 ||b||`` has a larger residual than zero, and one that is larger still
    would only leave the range of squares; the sketch tells the size of ``A x`` for nothing.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        Y = P.coordinates(X0)
        near = np.linalg.norm(Y, axis=0) <= _MOST_LENGTH * np.linalg.norm(B, axis=0)
    return np.asarray(P.matmat(np.where(near, Y, 0.0)))
