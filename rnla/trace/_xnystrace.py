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
from rnla.trace._nystrom import Core, complement_factors, semidefinite_core, symmetric_core
from rnla.trace._rounds import Budget, Round, rounding_floor
from rnla.trace._sketches import nystrom_sketches
from rnla.trace._vectors import VectorStream
from rnla.trace._xtrace import LeftOut, left_out_round


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
            sketch.Omega, sketch.Y, resphere=resphere, semidefinite=semidefinite
        )
        floor = rounding_floor(operand, sketch.size)
        yield left_out_round(name, found, floor, vectors, hermitian=True)


def nystrom_samples(
    Omega: NDArray[Any], Y: NDArray[Any], *, resphere: bool, semidefinite: bool
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

    Returns
    -------
    LeftOut
        Sample i is ``tr(N) + w_i* (A - N) w_i`` with N the Nyström approximation from all test
        vectors but w_i; resphered, the part of w_i in the span of the others does not count, as
        ``A - N`` vanishes there.
    """
    n = len(Omega)
    factors: Any = complement_factors(Omega) if resphere else 1.0
    core = semidefinite_core(Omega, Y) if semidefinite else symmetric_core(Omega, Y)
    squares, products = downdate_sums(core, Omega)
    value = float(np.sum(core.signs * np.sum(np.abs(core.B) ** 2, axis=0, dtype=np.float64)))
    residuals = factors * (np.abs(products) ** 2 / core.h + core.dropped)
    samples = value - squares / core.h + residuals - core.shift * n
    return LeftOut(samples, core.rank, residuals)


def downdate_sums(core: Core, Omega: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return ``||z_i||^2`` and ``z_i* w_i`` for the downdates of a Nyström approximation."""
    s = Omega.shape[1]
    squares = np.zeros(s)
    products = np.zeros(s, core.C.dtype)
    for part, Z in core.downdates():
        squares += np.sum(np.abs(Z) ** 2, axis=0, dtype=np.float64)
        products += np.einsum("ij,ij->j", Z.conj(), Omega[part])
    return squares, products
