"""funNyström++: the function of a Nyström approximation, and samples of what it misses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import single_threaded_blas
from rnla.trace._estimate import Estimate
from rnla.trace._evaluate import SpectralFunction
from rnla.trace._goal import Goal
from rnla.trace._input import Operand
from rnla.trace._probes import Probes
from rnla.trace._quadrature import SpectralQuadrature
from rnla.trace._rules import Floats, Rule
from rnla.trace._sampling import sample
from rnla.trace._vectors import VectorStream

# Half of the products for the approximation, half for what it misses.
_SHARE = 0.5
# Its rank where a tolerance decides about the products.
_RANK = 200
# An eigenvalue of the core below minus this many roundoffs proves that A is indefinite.
_ROUNDOFFS = 100


def fun_nystrom(
    f: SpectralFunction,
    operand: Operand,
    goal: Goal,
    stream: VectorStream,
    *,
    degree: int | None,
    spectrum: tuple[float, float] | None,
    name: str,
) -> tuple[SpectralQuadrature, Estimate]:
    r"""Estimate ``tr f(A)`` as ``tr f(B) + E[w^H (f(A) - f(B)) w]`` for a Nyström approximation B.

    For operator monotone f with f(0) = 0, and A positive semidefinite, ``f(B) <= f(A)``, and f(B)
    is about as close to f(A) as an approximation of its rank can be [1]_. The estimate is unbiased,
    up to the quadrature, for every f that is finite at 0.

    Parameters
    ----------
    f : callable
        The function.
    operand : Operand
        Positive semidefinite A, (n, n).
    goal : Goal
        Half of the products of a budget go into B; with a tolerance 200 and n / 10 at the most.
    stream : VectorStream
        Test vectors.
    degree : int or None
        Lanczos steps for each sample.
    spectrum : (float, float) or None
        An interval with all eigenvalues.
    name : str
        Of the function, for messages.

    Returns
    -------
    SpectralQuadrature, Estimate
        The rule and what it gives for f.

    References
    ----------
    .. [1] D. Persson, D. Kressner, "Randomized low-rank approximation of monotone matrix
       functions", SIAM J. Matrix Anal. Appl. 44 (2023), 894-918.
    """
    n = operand.shape[0]
    with np.errstate(all="ignore"):
        at_zero = np.asarray(f(np.zeros(1)))
    # What is no array of numbers is refused with the others.
    numbers = at_zero.shape == (1,) and at_zero.dtype.kind in "fc"
    if numbers and not np.isfinite(at_zero).all():
        raise ValueError(
            f"`{name}` must be finite at 0 for method='fun_nystrom', got {at_zero[0]}; use "
            "'krylov_aware'"
        )
    rank = max(1, int(_SHARE * goal.limit))
    rank = min(rank, n // 10 + 1, _RANK) if goal.has_tolerance else min(rank, n)
    U, levels = nystrom_eig(operand, stream.other(1, "gaussian").columns(0, rank))
    probes = Probes(
        operand=operand,
        stream=stream,
        f=f,
        name=name,
        degree=degree,
        spectrum=spectrum,
        vectors=U,
        levels=levels,
    )
    nodes = np.append(levels, 0.0)
    weights = np.append(np.ones(len(levels)), float(n - len(levels)))
    return sample(
        probes, goal, method="fun_nystrom", deflated=Rule(nodes=nodes, weights=weights, steps=rank)
    )


def nystrom_eig(operand: Operand, X: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
    r"""Return eigenvectors and eigenvalues of ``(A X) (X^H A X)^+ (A X)^H``.

    Parameters
    ----------
    operand : Operand
        Positive semidefinite A, (n, n).
    X : ndarray, shape (n, l)
        Random.

    Returns
    -------
    U : ndarray, shape (n, r)
        Orthonormal; r is l unless A has smaller rank.
    levels : ndarray of float64, shape (r,)
        Positive, descending.

    Raises
    ------
    ValueError
        If A is indefinite.
    """
    X = np.linalg.qr(X)[0]
    Y = operand.product(X)
    with single_threaded_blas():
        core = X.conj().T @ Y
        lam, V = np.linalg.eigh((core + core.conj().T) / 2)
        eps = float(np.finfo(Y.dtype).eps)
        noise = _ROUNDOFFS * eps * float(np.abs(lam).max(initial=0.0))
        if len(lam) and lam[0] < -noise:
            raise ValueError(
                "`A` must be positive semidefinite for this method, but it has a Rayleigh quotient "
                f"of {lam[0]:.6g}"
            )
        kept = lam > noise
        if not kept.any():
            return Y[:, :0], np.zeros(0)
        B = Y @ (V[:, kept] / np.sqrt(lam[kept]))
        U, sigma, _ = np.linalg.svd(B, full_matrices=False)
    return U, sigma.astype(np.float64) ** 2
