"""The rule behind ``method="auto"``, with its cost model."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnla._core.checks import check_int
from rnla.linalg.normal import DenseNormal, NormalOperator, OperatorNormal, as_normal
from rnla.linalg.precondition import equilibrating_scale, frobenius, inverse_upper
from rnla.lstsq._methods import LAPACK, SPIR, Choice, Gram
from rnla.sketch import SketchingOperator

# Flops that take as long as reading one double, by kind of work: see docs/develop/kernels.md.
_BALANCE_GEMM = 20.0
_BALANCE_QR = 7.0
# Readings of A beside the conjugate gradient steps: the sketch, residuals, certificates.
_PASSES_FIXED = 9.0
_DECIMALS = 2 * 16 * np.log(10)
_FACTORS = (4, 5, 6, 8, 10, 12)
# Below this many entries QR is as fast as anything, and so it is below these numbers of rows and
# aspects m / n (measured: bench/small.py, docs/develop/kernels.md); the minima are flat.
_SMALL = 400_000
_GRAM_ROWS, _GRAM_ASPECT = 10_000, 12
_SPIR_ROWS, _SPIR_ASPECT = 30_000, 24
# Below this aspect there is no room for a sketch.
_TALL = 6
_DENSE_BYTES = 4 << 30
_PROBE_FACTOR = 3
_PROBE_LIMIT = 3e5


def choose_method(
    A: Any, b: Any = None, *, sketch: Any = "sparse_sign", sketch_size: int | None = None
) -> Choice:
    """Say what ``lstsq_refine(A, b, method="auto")`` would run, and why.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        The matrix.
    b : array_like, optional
        The right-hand sides; their number does not change the choice.
    sketch : str or SketchingOperator
        As in `rnla.lstsq_refine`.
    sketch_size : int, optional
        As in `rnla.lstsq_refine`.

    Returns
    -------
    Choice
        With ``.method`` and ``.reason``.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.lstsq import choose_method
    >>> choose_method(np.eye(50, 5)).reason
    'small: Householder QR is as fast as any sketch'
    """
    return choose(as_normal(A), sketch, sketch_size)


def choose(A: NormalOperator, sketch: str | SketchingOperator, sketch_size: int | None) -> Choice:
    """Do the work of `choose_method` on a wrapped matrix."""
    m, n = A.shape
    spir = SPIR(sketch=sketch, sketch_size=sketch_size)
    if m < n:
        return Choice(method=LAPACK(), reason="m < n: minimum-norm solution by an SVD")
    if isinstance(A, OperatorNormal):
        if m < 2 * n:
            return Choice(method=LAPACK(), reason="m < 2 n: too few rows for a sketch")
        return Choice(method=spir, reason="an operator is sketched by n products")
    if not isinstance(A, DenseNormal):
        if m >= _TALL * n or 16 * m * n > _DENSE_BYTES:
            return Choice(method=spir, reason="sparse and tall: the sketch is small")
        return Choice(method=LAPACK(), reason="sparse but not tall: QR of the dense matrix")
    if m * n < _SMALL:
        return Choice(method=LAPACK(), reason="small: Householder QR is as fast as any sketch")
    gram_passes = 4 + n / _BALANCE_GEMM
    if (
        m >= max(_GRAM_ROWS, _GRAM_ASPECT * n)
        and gram_passes < spir_passes(m, n, sketch_size)
        and _looks_well_conditioned(A)
    ):
        return Choice(
            method=Gram(), reason="few columns and well conditioned: one matrix product is cheapest"
        )
    return choose_stable(A, sketch, sketch_size)


def choose_stable(
    A: NormalOperator, sketch: str | SketchingOperator, sketch_size: int | None
) -> Choice:
    """Choose for a dense matrix with m >= n that has any condition number."""
    m, n = A.shape
    # Twice the memory of A is what QR needs for its copy.
    huge = m >= _TALL * n and 16 * m * n > _DENSE_BYTES
    if huge or m >= max(_SPIR_ROWS, _SPIR_ASPECT * n):
        return Choice(
            method=SPIR(sketch=sketch, sketch_size=sketch_size),
            reason="tall: a sketch and a few readings of A",
        )
    return Choice(method=LAPACK(), reason="not tall: Householder QR is as fast as a sketch")


def default_sketch_size(m: int, n: int) -> int:
    """Return the number of sketch rows with the smallest modelled cost.

    Each step of conjugate gradients gains a factor of about ``sqrt(d / n)``, and the factorization
    of the sketch costs ``2 d n**2`` flops.
    """
    return min(m, n * min(_FACTORS, key=lambda factor: _cost(m, n, factor)) + 8)


def spir_passes(m: int, n: int, sketch_size: int | None = None) -> float:
    """Return the modelled time of SPIR in readings of A."""
    factor = (sketch_size or default_sketch_size(m, n)) / n
    return _cost(m, n, max(1.5, factor))


def _cost(m: int, n: int, factor: float) -> float:
    steps = 1.25 * _DECIMALS / np.log(factor) / 2
    return float(_PASSES_FIXED + steps + 2 * factor * n**2 / (_BALANCE_QR * m))


def _looks_well_conditioned(A: DenseNormal) -> bool:
    """Guess from some evenly spaced rows; the Gram method checks the matrix itself afterwards."""
    m, n = A.shape
    rows = min(m, _PROBE_FACTOR * n + 32)
    probe = A.A[:: m // rows][:rows].astype(A.dtype)
    if not np.isfinite(probe).all():
        return False
    probe *= equilibrating_scale(probe)
    try:
        R = np.linalg.cholesky(probe.conj().T @ probe).conj().T
    except np.linalg.LinAlgError:
        return False
    inverse = inverse_upper(R)
    if inverse is None:
        return False
    return frobenius(R) * frobenius(inverse) < _PROBE_LIMIT * float(np.sqrt(n))


def check_sketch_size(sketch_size: int, m: int, n: int) -> int:
    """Return the size or raise with the accepted range."""
    return check_int(sketch_size, "sketch_size", n, max(n, m))
