"""The rule behind ``method="auto"``, with its cost model."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np

from rnla._core.checks import check_int, check_positive_float
from rnla.linalg.balance import gemm_balance
from rnla.linalg.factor import equilibrating_scale
from rnla.linalg.normal import DampedNormal, NormalOperator, as_normal
from rnla.linalg.precondition import TriangularPreconditioner
from rnla.lstsq._cost import FACTORS, QR_SHARE, gram_passes, spir_passes, spne_passes
from rnla.lstsq._defaults import DENSE_BYTES
from rnla.lstsq._methods import (
    CGLS,
    LAPACK,
    NAMES,
    SKETCHED,
    SPIR,
    SPNE,
    Choice,
    Gram,
    Method,
    SketchAndPrecondition,
    SketchAndSolve,
    SketchedMethod,
)
from rnla.lstsq._problem import Problem
from rnla.sketch import SketchingOperator

# For sparse matrices, in flops of QR: adding a product to an entry somewhere in a matrix, and what
# an entry of A costs SPIR (eight such additions and some 25 sweeps).
_SCATTER = 200.0
_SPARSE_ENTRY = 4000.0
# The share of that cost that a trial may take.
_TRIAL = 0.4
# Below this many entries QR is as fast as anything, and so it is below these numbers of rows and
# aspects m / n (measured: bench/small.py, docs/develop/kernels.md); the minima are flat.
_SMALL = 400_000
_GRAM_ROWS, _GRAM_ASPECT = 10_000, 12
_SPIR_ROWS, _SPIR_ASPECT = 30_000, 24
# Below this aspect there is no room for a sketch.
_TALL = 6
_PROBE_FACTOR = 3
_PROBE_LIMIT = 5e6
_WITHOUT_PRECONDITIONER = (Gram, LAPACK, CGLS, SPNE, SketchAndSolve)
# Arrays of n x n that stand at once: beside the sketch, or with the Gram matrix.
_SQUARES, _GRAM_SQUARES = 4, 5


def choose_method(
    A: Any,
    b: Any = None,
    *,
    damp: float = 0.0,
    sketch: Any = "sparse_sign",
    sketch_size: int | None = None,
) -> Choice:
    """Say what ``lstsq_refine(A, b, method="auto")`` would run, and why.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        The matrix.
    b : array_like, optional
        The right-hand sides; only their number changes the choice. Default: one.
    damp : float, default 0
        As in `rnla.lstsq_refine`.
    sketch : str or SketchingOperator
        As in `rnla.lstsq_refine`.
    sketch_size : int, optional
        As in `rnla.lstsq_refine`.

    Returns
    -------
    Choice
        With ``.method`` and ``.reason``.

    Raises
    ------
    ValueError
        If `A` is an operator, or has m < n, and a sketch with its factors would take over 4 GiB.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.lstsq import choose_method
    >>> choose_method(np.eye(50, 5)).reason
    'small: Householder QR is as fast as any sketch'
    """
    normal = as_normal(A)
    damp = check_positive_float(damp, "damp")
    k = 1 if b is None or np.ndim(b) < 2 else np.shape(b)[1]
    return choose(DampedNormal(normal, damp) if damp else normal, k, sketch, sketch_size)


def choose(
    A: NormalOperator, k: int, sketch: str | SketchingOperator, sketch_size: int | None
) -> Choice:
    """Do the work of `choose_method` on a wrapped matrix with `k` right-hand sides."""
    m, n = A.shape
    stable = choose_stable(A, k, sketch, sketch_size)
    if m < n or is_damped_wide(A):
        return stable
    if A.is_dense and m * n < _SMALL:
        return Choice(method=LAPACK(), reason="small: Householder QR is as fast as any sketch")
    if (
        A.is_dense
        and m >= max(_GRAM_ROWS, _GRAM_ASPECT * n)
        and _gram_is_cheapest(A, k, sketch_size)
        and _looks_well_conditioned(A)
    ):
        return Choice(method=Gram(), reason="well conditioned: one matrix product is cheapest")
    if isinstance(stable.method, SPIR | CGLS) and _sparse_gram_is_cheap(A):
        return Choice(
            method=Gram(), reason="sparse: to try the Gram matrix costs little beside a sketch"
        )
    return stable


def choose_stable(
    A: NormalOperator, k: int, sketch: str | SketchingOperator, sketch_size: int | None
) -> Choice:
    """Choose for a matrix of any condition number."""
    m, n = A.shape
    spir = SPIR(sketch=sketch, sketch_size=sketch_size)
    if is_damped_wide(A):
        return _choose_wide(A.inner, spir)
    if m < n:
        return _choose_wide(A, spir)
    if A.matrix_free:
        _check_fits(A)
        if m < 2 * n:
            return Choice(method=LAPACK(), reason="m < 2 n: too few rows for a sketch")
        return Choice(method=spir, reason="an operator is sketched by n products")
    # Twice the memory of A is what QR needs for its copy.
    huge = m >= _TALL * n and 16 * m * n > DENSE_BYTES
    if not A.is_dense:
        if not _fits(A):
            return Choice(method=CGLS(), reason="sparse, with too many columns for a factor")
        if m >= _TALL * n or huge:
            return Choice(method=spir, reason="sparse and tall: the sketch is small")
        return Choice(method=LAPACK(), reason="sparse but not tall: QR of the dense matrix")
    if not huge and m < max(_SPIR_ROWS, _SPIR_ASPECT * n):
        return Choice(method=LAPACK(), reason="not tall: Householder QR is as fast as a sketch")
    balance = gemm_balance(A)
    if spne_passes(m, n, k, balance) < spir_passes(m, n, k, sketch_size, balance):
        return Choice(
            method=SPNE(sketch=sketch, sketch_size=sketch_size),
            reason="few columns or many right-hand sides: one more matrix product, no iteration",
        )
    return Choice(method=spir, reason="tall: a sketch and a few readings of A")


def is_damped_wide(A: NormalOperator) -> TypeGuard[DampedNormal]:
    """Tell whether damping has made a matrix with more columns than rows a tall one."""
    return isinstance(A, DampedNormal) and A.is_wide


def _fits(A: NormalOperator, squares: float = min(FACTORS) + _SQUARES) -> bool:
    """Tell whether a sketch, or so many square matrices of the smaller dimension, may be made."""
    return squares * A.dtype.itemsize * float(min(A.shape)) ** 2 <= DENSE_BYTES


def _check_fits(A: NormalOperator) -> None:
    if not A.is_dense and not _fits(A):
        size = min(FACTORS) * A.dtype.itemsize * float(min(A.shape)) ** 2 / 2**30
        raise ValueError(
            f"`A` of shape {A.shape} needs a sketch of {size:.1f} GiB, more than method='auto' "
            "makes; method='spir' makes it where there is the memory"
        )


def _choose_wide(A: NormalOperator, spir: SPIR) -> Choice:
    m, n = A.shape
    _check_fits(A)
    if A.matrix_free:
        enough = n >= 2 * m
    elif A.is_dense:
        huge = n >= _TALL * m and 16 * m * n > DENSE_BYTES
        enough = huge or n >= max(_SPIR_ROWS, _SPIR_ASPECT * m)
    else:
        enough = n >= _TALL * m
    if enough:
        return Choice(method=spir, reason="wide: minimum norm from a sketch of the adjoint")
    return Choice(
        method=LAPACK(), reason="m < n, but not by much: minimum norm by QR of the adjoint"
    )


def _gram_is_cheapest(A: NormalOperator, k: int, sketch_size: int | None) -> bool:
    m, n = A.shape
    balance = gemm_balance(A)
    others = spir_passes(m, n, k, sketch_size, balance), spne_passes(m, n, k, balance)
    return gram_passes(n, k, balance) < min(others)


def _sparse_gram_is_cheap(A: NormalOperator) -> bool:
    """Compare it with a sketch in flops of QR: for an ill-conditioned A it is tried in vain."""
    if A.is_dense or A.matrix_free or not _fits(A, _GRAM_SQUARES):
        return False
    cube = float(A.shape[1]) ** 3
    gram = _SCATTER * A.gram_updates() + cube / 3 * QR_SHARE
    sketch = _SPARSE_ENTRY * A.entries + 2 * min(FACTORS) * cube
    return gram < _TRIAL * sketch


def _looks_well_conditioned(A: NormalOperator) -> bool:
    """Guess from some evenly spaced rows; the Gram method checks the matrix itself afterwards."""
    m, n = A.shape
    probe = A.sample(min(m, _PROBE_FACTOR * n + 32))
    if not np.isfinite(probe).all():
        return False
    probe *= equilibrating_scale(probe)
    try:
        R = np.linalg.cholesky(probe.conj().T @ probe).conj().T
    except np.linalg.LinAlgError:
        return False
    return TriangularPreconditioner(R, np.ones(n)).condition < _PROBE_LIMIT


def check_sketch_size(sketch_size: int, m: int, n: int) -> int:
    """Return the size or raise with the accepted range."""
    return check_int(sketch_size, "sketch_size", n, max(n, m))


def resolve(
    method: Any,
    problem: Problem,
    sketch: str | SketchingOperator,
    sketch_size: int | None,
) -> tuple[Method, Method | None]:
    """Return the method to run, and for "auto" the one to take where a Gram matrix fails."""
    chosen, stable = _resolve(method, problem, sketch, sketch_size)
    if problem.P is not None and isinstance(chosen, _WITHOUT_PRECONDITIONER):
        raise ValueError(
            f"`preconditioner` is of no use to method={chosen.name!r}, which needs a factor of its "
            "own; use method='spir'"
        )
    if problem.P is not None and is_damped_wide(problem.A) and not isinstance(chosen, SPIR):
        raise ValueError(
            f"`preconditioner` is of no use to method={chosen.name!r} with m < n; use method='spir'"
        )
    if problem.X0 is not None and _takes_no_start(chosen):
        raise ValueError(
            f"`x0` is of no use to method={chosen.name!r} with a start of its own; "
            "use method='spir'"
        )
    return chosen, stable


def _takes_no_start(method: Method) -> bool:
    cold = isinstance(method, SketchAndPrecondition) and method.start == "zero"
    return cold or isinstance(method, SketchAndSolve)


def _resolve(
    method: Any,
    problem: Problem,
    sketch: str | SketchingOperator,
    sketch_size: int | None,
) -> tuple[Method, Method | None]:
    if isinstance(method, SketchedMethod | Gram | LAPACK | CGLS):
        if sketch_size is not None or not (isinstance(sketch, str) and sketch == "sparse_sign"):
            raise ValueError(
                "`sketch` and `sketch_size` must be left out when `method` is an object, which "
                "carries its own options"
            )
        return method, None
    # `method` may be anything a caller passes, an array for one.
    name = method if isinstance(method, str) else repr(method)
    if name == "auto":
        k = problem.B.shape[1]
        stable = choose_stable(problem.A, k, sketch, sketch_size).method
        if problem.P is not None:
            stable = SPIR(sketch=sketch, sketch_size=sketch_size)
            return stable, stable
        return choose(problem.A, k, sketch, sketch_size).method, stable
    for kind in SKETCHED:
        options = kind(sketch=sketch, sketch_size=sketch_size)
        if kind.name == name:
            return options, None
    direct: dict[str, Method] = {"gram": Gram(), "lapack": LAPACK(), "cgls": CGLS()}
    if name in direct:
        if sketch_size is not None or sketch != "sparse_sign":
            unused = "sketch" if sketch_size is None else "sketch_size"
            raise ValueError(
                f"`{unused}` is of no use to method={name!r}, which does not sketch; "
                "use method='spir'"
            )
        return direct[name], None
    known = ", ".join(map(repr, ("auto", *NAMES)))
    raise ValueError(f"`method` must be one of {known} or a method object, got {method!r}")
