"""XNysTrace and XSymTrace: leave-one-out estimators with Nyström approximations.

E. N. Epperly, J. A. Tropp, R. J. Webber, "XTrace: making the most of every sample in stochastic
trace estimation", SIAM J. Matrix Anal. Appl. 45 (2024), 1-23.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.trace._exact import exact_rounds
from rnla.trace._input import Operand
from rnla.trace._left_out import LeftOut, jackknife, left_out_round, pair_means
from rnla.trace._nystrom import (
    Core,
    complement_factors,
    gram_inverse,
    pair_factors,
    semidefinite_core,
    symmetric_core,
)
from rnla.trace._rounds import Budget, Round, rounding_floor
from rnla.trace._sketches import nystrom_sketches
from rnla.trace._vectors import VectorStream

_PAIR_ROWS = 64


def xnystrace_rounds(
    operand: Operand, vectors: VectorStream, resphere: bool, budget: Budget, *, semidefinite: bool
) -> Iterator[Round]:
    """Yield XNysTrace's or XSymTrace's estimate for more and more test vectors.

    Parameters
    ----------
    operand : Operand
        The matrix.
    vectors : VectorStream
        Test vectors.
    resphere : bool
        Whether their projections get the length of vectors of the complement.
    budget : Budget
        Products to make, one for each vector.
    semidefinite : bool
        True for XNysTrace.

    Yields
    ------
    Round
        One; with a tolerance, as many as it takes, every product used again in the next one.
    """
    name = "xnystrace" if semidefinite else "xsymtrace"
    for sketch in nystrom_sketches(operand, vectors, budget):
        if sketch is None:
            yield from exact_rounds(operand, f"{name}, then exact (as cheap)")
            return
        found = nystrom_samples(
            sketch.Omega,
            sketch.Y,
            resphere=resphere,
            semidefinite=semidefinite,
            refuse_negative=operand.semidefinite,
        )
        # The shift before the Cholesky factorization is of this size.
        floor = rounding_floor(operand, sketch.size) * float(np.sqrt(sketch.Omega.shape[1]))
        # A larger sketch is made next: its memory must not come on top of this one's.
        del sketch
        yield left_out_round(name, found, floor, vectors, hermitian=True)


def nystrom_samples(
    Omega: NDArray[Any],
    Y: NDArray[Any],
    *,
    resphere: bool,
    semidefinite: bool,
    refuse_negative: bool = False,
) -> LeftOut:
    """Return the estimates with one vector left out of the approximation each.

    Parameters
    ----------
    Omega : ndarray, shape (n, s)
        Test vectors.
    Y : ndarray, shape (n, s)
        ``A Omega``; destroyed.
    resphere : bool
        As above.
    semidefinite : bool
        As above.
    refuse_negative : bool
        Whether negative eigenvalues belie what was said about A, though the method takes them.

    Returns
    -------
    LeftOut
        Sample i is ``tr(N) + w_i* (A - N) w_i`` with N the Nyström approximation from all test
        vectors but w_i; resphered, the part of w_i in the span of the others does not count, as
        ``A - N`` vanishes there.
    """
    n = len(Omega)
    inverse = gram_inverse(Omega) if resphere else None
    if semidefinite:
        core = semidefinite_core(Omega, Y)
    else:
        core = symmetric_core(Omega, Y, refuse_negative=refuse_negative)
    K, products, along, skew = downdate_sums(core, Omega)
    squares = np.diagonal(K).real
    value = core.trace() - core.shift * n
    masses = (products.conj() * (products + along)).real
    residuals = masses / core.h + core.dropped + skew
    if inverse is not None:
        residuals = residuals * complement_factors(inverse, n)
    samples = value - squares / core.h + residuals
    without = value + pair_means(_pairs(core, K, masses, inverse, n), len(samples))
    return LeftOut(samples, residuals, core.rank, jackknife(without), core.lost)


def _pairs(
    core: Core, K: NDArray[Any], masses: NDArray[np.float64], inverse: NDArray[Any] | None, n: int
) -> Iterator[NDArray[np.float64]]:
    """Yield, for some i at a time, by how much sample i differs from the trace of the core.

    In column j vector j is left out, too.
    """
    h = core.h
    squares = np.diagonal(K).real
    for row in range(0, len(h), _PAIR_ROWS):
        rows = slice(row, row + _PAIR_ROWS)
        own = h[rows, None]
        inner = core.C[:, rows].conj().T @ (core.signs[:, None] * core.C)
        determinant = own * h - np.abs(inner) ** 2
        # Directions that are the same to rounding are left out once.
        apart = np.abs(determinant) > 64 * np.finfo(np.float64).eps
        determinant = np.where(apart, determinant, own)
        removed = h * squares[rows, None] + own * squares - 2 * (inner * K.T[rows]).real
        removed = np.where(apart, removed, squares[rows, None]) / determinant
        residuals = masses[rows, None] * np.where(apart, h, 1.0) / determinant
        residuals += core.dropped[rows, None]
        if inverse is not None:
            residuals *= pair_factors(inverse, n, rows)
        yield np.asarray(residuals - removed)


def downdate_sums(
    core: Core, Omega: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | float, NDArray[np.float64]]:
    """Return the Gram matrix of the z_i, and ``z_i* w_i``; and what asymmetry does.

    That is to be added to the latter and, after that, to ``w_i* (A - N) w_i``.
    """
    s = Omega.shape[1]
    K = np.zeros((s, s), core.C.dtype)
    products = np.zeros(s, core.C.dtype)
    skew = np.zeros(s)
    along, rest = core.residuals()
    for part, Z in core.downdates():
        K += Z.conj().T @ Z
        products += np.einsum("ij,ij->j", Z.conj(), Omega[part])
        if rest is not None:
            skew += np.einsum("ij,ij->j", Omega[part].conj(), core.B[part] @ rest).real
    return K, products, along, skew
