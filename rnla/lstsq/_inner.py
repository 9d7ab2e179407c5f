"""Solvers for the correction of one round, ``(P^H A^H A P) dy = P^H A^H r``.

Each advances `dY` in place, all columns in step, and yields estimates of the backward errors that
``x + P dy`` would have. The first round ends when the update is at the level of the forward error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.normal import NormalOperator, SingleNormal
from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._certificate import Certificate, KarlsonWalden
from rnla.lstsq._defaults import TOLERANCE
from rnla.lstsq._forward import forward_level
from rnla.lstsq._rounds import AIM, Round

# Gain after which a round ends in any case: its recursion has no correct digits beyond.
ROUND_DROP = 1e-8
_ROUND_CAP = 100
_STALL_WINDOW = 20
_STALL_FACTOR = 0.999
# Growth of the weighted residual at which heavy ball counts as diverged.
_DIVERGED = 1e4


def conjugate_gradients(
    A: NormalOperator | SingleNormal,
    P: Preconditioner,
    certificate: Certificate,
    now: Round,
    B: NDArray[Any],
    columns: NDArray[np.intp],
    dY: NDArray[Any],
    tolerance: float,
    first: bool,
    *,
    drop: float = ROUND_DROP,
    cap: int = _ROUND_CAP,
    window: int = _STALL_WINDOW,
) -> Iterator[NDArray[np.float64]]:
    """Advance `dY` in place, all columns in step; yield the estimated backward errors.

    At most `cap` steps, and `window` without gain.
    """
    R = P.rmatmat(now.G[:, columns])
    r_norm = now.r_norm[columns]
    x_size = certificate.size(now.X[:, columns])
    forward = forward_level(certificate, P, x_size, r_norm, len(B))
    start = np.linalg.norm(R, axis=0)
    Z, rho = R, start**2
    active = rho > 0
    smallest, age = np.full(len(columns), np.inf), 0
    for _ in range(cap):
        H = P.rmatmat(A.normal(P.matmat(Z)))
        curvature = np.einsum("ij,ij->j", Z.conj(), H).real
        # Zero or negative curvature is rounding: such a column has nothing left to gain.
        active &= curvature > 0
        step = np.where(active, rho / np.where(active, curvature, 1.0), 0.0)
        dY += step * Z
        R = R - step * H
        rho_new = np.einsum("ij,ij->j", R.conj(), R).real
        errors = certificate.estimate(R, r_norm, x_size, AIM * tolerance)
        yield errors
        done = _settled(R, errors, forward, start, tolerance, drop)
        if first:
            done |= step * np.linalg.norm(Z, axis=0) <= forward
        active &= ~done & np.isfinite(rho_new)
        gained = errors < _STALL_FACTOR * smallest
        smallest = np.fmin(smallest, errors)
        age = 0 if gained[active].any() else age + 1
        if not active.any() or age >= window:
            return
        Z = R + np.where(active, rho_new / np.where(rho > 0, rho, 1.0), 0.0) * Z
        rho = rho_new


def heavy_ball(
    A: NormalOperator,
    P: Preconditioner,
    certificate: KarlsonWalden,
    now: Round,
    B: NDArray[Any],
    columns: NDArray[np.intp],
    dY: NDArray[Any],
    tolerance: float,
    first: bool,
    *,
    momentum: float,
) -> Iterator[NDArray[np.float64]]:
    """Polyak's method with the parameters that are best for a distortion ``sqrt(momentum)``.

    ``dy <- dy + (1 - beta)^2 (c - M dy) + beta (dy - dy_old)`` with ``beta = n / d``, from
    ``dy = c``. It diverges where the sketch distorts more than that.
    """
    C = P.rmatmat(now.G[:, columns])
    r_norm = now.r_norm[columns]
    x_size = certificate.size(now.X[:, columns])
    forward = forward_level(certificate, P, x_size, r_norm, len(B))
    start = np.linalg.norm(C, axis=0)
    dY += C
    former = dY.copy()
    active = start > 0
    for _ in range(_ROUND_CAP):
        R = C - P.rmatmat(A.normal(P.matmat(dY)))
        size = np.linalg.norm(R, axis=0)
        errors = certificate.estimate(R, r_norm, x_size, AIM * tolerance)
        yield errors
        update = (1 - momentum) ** 2 * R + momentum * (dY - former)
        active &= ~_settled(R, errors, forward, start, tolerance, ROUND_DROP)
        active &= size < _DIVERGED * start
        former[...] = dY
        dY += np.where(active, update, 0)
        if first:
            active &= np.linalg.norm(update, axis=0) > forward
        if not active.any():
            return


def lsqr(
    A: NormalOperator,
    P: Preconditioner,
    certificate: KarlsonWalden,
    now: Round,
    B: NDArray[Any],
    columns: NDArray[np.intp],
    dY: NDArray[Any],
    tolerance: float,
    first: bool,
    *,
    drop: float = ROUND_DROP,
) -> Iterator[NDArray[np.float64]]:
    """LSQR of Paige and Saunders (1982) on ``A P`` and the residual; two readings of A a step.

    For all columns in step, in the notation of that paper.
    """
    U = B[:, columns] - A.product(now.X[:, columns])
    r_norm = now.r_norm[columns]
    x_size = certificate.size(now.X[:, columns])
    forward = forward_level(certificate, P, x_size, r_norm, len(B))
    beta = np.linalg.norm(U, axis=0)
    U = _divided(U, beta)
    V = P.rmatmat(A.adjoint_product(U))
    alpha = np.linalg.norm(V, axis=0)
    V = _divided(V, alpha)
    W, phi_bar, rho_bar = V.copy(), beta, alpha
    active = (alpha > 0) & (beta > 0)
    start = alpha * beta
    smallest, age = np.full(len(columns), np.inf), 0
    for _ in range(_ROUND_CAP):
        U = A.product(P.matmat(V)) - alpha * U
        beta = np.linalg.norm(U, axis=0)
        U = _divided(U, beta)
        V = P.rmatmat(A.adjoint_product(U)) - beta * V
        alpha = np.linalg.norm(V, axis=0)
        V = _divided(V, alpha)
        rho = np.hypot(rho_bar, beta)
        rho_safe = np.where(rho > 0, rho, 1.0)
        cosine, sine = rho_bar / rho_safe, beta / rho_safe
        theta, rho_bar = sine * alpha, -cosine * alpha
        phi, phi_bar = cosine * phi_bar, sine * phi_bar
        step = np.where(active, phi / rho_safe, 0.0)
        length = np.abs(step) * np.linalg.norm(W, axis=0)
        dY += step * W
        W = V - theta / rho_safe * W
        # (A P)^H r is this multiple of the newest v.
        R = np.where(active, phi_bar * alpha * np.abs(cosine), 0.0) * V
        errors = certificate.estimate(R, r_norm, x_size, AIM * tolerance)
        cold = np.isinf(errors)
        if cold.any():
            # From zero the size of x is known only now; the bound that needs no factor will do.
            size = certificate.size(P.matmat(dY[:, cold]))
            errors[cold] = np.linalg.norm(R[:, cold], axis=0) / (size * certificate.norm)
        yield errors
        done = _settled(R, errors, forward, start, tolerance, drop)
        if first:
            done |= length <= forward
        active &= ~done & (alpha > 0) & (beta > 0)
        gained = errors < _STALL_FACTOR * smallest
        smallest = np.fmin(smallest, errors)
        age = 0 if gained[active].any() else age + 1
        if not active.any() or age >= _STALL_WINDOW:
            return


def _settled(
    R: NDArray[Any],
    errors: NDArray[np.float64],
    forward: NDArray[np.float64],
    start: NDArray[np.float64],
    tolerance: float,
    drop: float,
) -> NDArray[np.bool_]:
    """Tell which columns need no more steps, from the preconditioned gradient and its error.

    At the tolerance of LAPACK a small backward error is not enough: the forward error shall be that
    of LAPACK, too.
    """
    size = np.linalg.norm(R, axis=0)
    accurate = (size <= forward) | (tolerance > TOLERANCE)
    return np.asarray(((errors <= AIM * tolerance) & accurate) | (size <= drop * start))


def _divided(X: NDArray[Any], norms: NDArray[np.float64]) -> NDArray[Any]:
    return np.asarray(X / np.where(norms > 0, norms, 1.0))
