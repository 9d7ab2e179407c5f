"""Backward errors of least-squares solutions: the certificate and the exact formula."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rnla._kernels.triangle import solve_lower
from rnla.linalg.factor import frobenius, shifted_factor
from rnla.linalg.precondition import Preconditioner

# Factors for neighbouring shifts are shared: four per octave overstate the error by at most 19 %.
_PER_OCTAVE = 4
_KEPT = 4
# As many entries as the kept factors may have together; one is kept in any case.
_KEPT_ENTRIES = 1 << 22
# Products below this may be zero by underflow alone.
_LEAST = 1e-290


class Certificate(Protocol):
    """What the inner iterations ask of a certificate."""

    norm: float

    def size(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the column norms of `X` by which residuals are judged."""

    def estimate(
        self,
        rho: NDArray[Any],
        r_norm: NDArray[np.float64],
        x_size: NDArray[np.float64],
        enough: float,
    ) -> NDArray[np.float64]:
        """Return the error per column from the preconditioned gradient."""


class KarlsonWalden:
    """Karlson-Walden estimate of the backward error, with the sketch in the place of A.

    For perturbations of A alone, ``||(A^H A + nu^2 I)^(-1/2) A^H r|| / ||x||`` with
    ``nu = ||r|| / ||x||`` lies within a factor sqrt(2) of the smallest change of A that makes x
    an exact solution. Here it is taken for the column-scaled matrix ``A D`` and ``D^-1 x``, so
    that small columns are judged by their own size; ``(A D)^H A D`` is replaced by ``R^H R`` from
    the sketch, and the inverse root by the Householder factor T of ``[R; nu I]``.

    Parameters
    ----------
    preconditioner : Preconditioner
        Holds R and D.

    References
    ----------
    .. [1] R. Karlson, B. Walden, "Estimation of optimal backward perturbation bounds for the
       linear least squares problem", BIT 37 (1997), 862-869.
    .. [2] E. N. Epperly, M. Meier, Y. Nakatsukasa, "Fast randomized least-squares solvers can be
       just as accurate and stable as classical direct solvers", arXiv:2406.03468.
    """

    def __init__(self, preconditioner: Preconditioner) -> None:
        self.P = preconditioner
        self.norm = frobenius(preconditioner.R)
        self._factors: dict[int, NDArray[Any]] = {}

    def size(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the column norms of ``D^-1 X``."""
        return np.asarray(np.linalg.norm(X / self.P.scale, axis=0))

    def certify(
        self,
        G: NDArray[Any],
        r_norm: NDArray[np.float64],
        x_size: NDArray[np.float64],
        enough: float,
    ) -> NDArray[np.float64]:
        """Return the relative backward error per column from the gradient ``A^H (b - A x)``.

        Two upper bounds cost no factorization; where one is below `enough` it is returned.
        """
        G = self.P.scale * G
        G_norm = np.linalg.norm(G, axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            # A gradient that underflowed says nothing.
            least = _LEAST * np.max(self.P.scale, initial=1.0)
            lost = (G_norm == 0) & (r_norm > 0) & (r_norm < least)
            errors = np.where(lost, np.inf, np.where(G_norm == 0, 0.0, G_norm / r_norm))
            if self.P.rank == len(G):
                rho_norm = np.linalg.norm(self.P.rmatmat(G / self.P.scale), axis=0)
                errors = np.where(lost, np.inf, np.fmin(errors, rho_norm / x_size))
        errors /= self.norm if self.norm > 0 else 1.0
        for k in np.flatnonzero(~lost & ~(errors <= enough) & (x_size > 0) & (r_norm > 0)):
            value = _inverse_root_norm(self._factor(r_norm[k] / x_size[k]), G[:, k])
            value /= x_size[k] * self.norm
            errors[k] = np.fmin(errors[k], value)
        return errors

    def estimate(
        self,
        rho: NDArray[Any],
        r_norm: NDArray[np.float64],
        x_size: NDArray[np.float64],
        enough: float,
    ) -> NDArray[np.float64]:
        """Return the same from ``rho = P^H A^H r``, which conjugate gradients keeps up to date."""
        rho_norm = np.linalg.norm(rho, axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = np.where(rho_norm == 0, 0.0, rho_norm / (x_size * self.norm))
        for k in np.flatnonzero(~(errors <= enough) & (x_size > 0) & (r_norm > 0)):
            gradient = self.P.lift(rho[:, k : k + 1])[:, 0]
            value = _inverse_root_norm(self._factor(r_norm[k] / x_size[k]), gradient)
            errors[k] = value / (x_size[k] * self.norm)
        return errors

    def _factor(self, nu: float) -> NDArray[Any]:
        """Return ``T^H`` with ``T^H T = R^H R + nu^2 I``."""
        step = int(np.floor(_PER_OCTAVE * np.log2(nu)))
        if step not in self._factors:
            while self._factors and not self._room():
                self._factors.pop(next(iter(self._factors)))
            self._factors[step] = _lower_root(self.P.R, 2.0 ** (step / _PER_OCTAVE))
        return self._factors[step]

    def _room(self) -> bool:
        count = len(self._factors) + 1
        return count <= _KEPT and count * self.P.R.size <= _KEPT_ENTRIES


def karlson_walden(
    R: NDArray[Any], g: NDArray[Any], r_norm: float, x_norm: float, theta: float = np.inf
) -> float:
    """Return the Karlson-Walden estimate of the backward error, not normalised.

    ``theta / sqrt(1 + theta^2 ||x||^2) ||(R^H R + nu^2 I)^(-1/2) g||`` with
    ``nu^2 = theta^2 ||r||^2 / (1 + theta^2 ||x||^2)``.

    Parameters
    ----------
    R : ndarray, shape (n, n)
        Triangular factor of A.
    g : ndarray, shape (n,)
        The gradient ``A^H (b - A x)``.
    r_norm, x_norm : float
        Norms of the residual and of x.
    theta : float
        Weight of changes of b.

    Returns
    -------
    float
        The estimate; for x = 0 and infinite theta its limit ``||g|| / ||r||``.
    """
    if r_norm == 0:
        return 0.0
    if np.isinf(theta):
        if x_norm == 0:
            return float(np.linalg.norm(g)) / r_norm
        factor = 1 / x_norm
    else:
        factor = theta / np.sqrt(1 + theta**2 * x_norm**2)
    return factor * _inverse_root_norm(_lower_root(R, factor * r_norm), g)


def _lower_root(R: NDArray[Any], shift: float) -> NDArray[Any]:
    """Return the C-ordered lower triangular ``T^H`` with ``T^H T = R^H R + shift^2 I``."""
    return np.ascontiguousarray(shifted_factor(R, shift).conj().T)


def _inverse_root_norm(L: NDArray[Any], g: NDArray[Any]) -> float:
    # Substitution: an explicit inverse would cancel where T is nearly singular.
    x = g.astype(np.result_type(L, g))
    solve_lower(L.astype(x.dtype, copy=False), x)
    return float(np.linalg.norm(x))


def exact_backward_error(
    A: NDArray[Any], b: NDArray[Any], x: NDArray[Any], theta: float = np.inf
) -> float:
    """Return the exact optimal backward error of Walden, Karlson and Sun, not normalised.

    It is ``min(phi, sigma_min([A, phi (I - q q^H)]))`` with ``q = r / ||r||``,
    ``phi = sqrt(mu) ||r|| / ||x||`` and ``mu = theta^2 ||x||^2 / (1 + theta^2 ||x||^2)``. The
    square s of that singular value solves ``s = (phi^2 - s) h / (1 - h)`` with
    ``h = t^H (A^H A + (phi^2 - s) I)^-1 t`` and ``t = A^H q``: the Schur complement of the other
    directions. So O(m n^2) replaces O(m^3), and a large phi costs no digits.

    Parameters
    ----------
    A : ndarray, shape (m, n)
        The matrix.
    b : ndarray, shape (m,)
        Right-hand side.
    x : ndarray, shape (n,)
        The approximate solution.
    theta : float
        Weight of changes of b; infinite: only A is changed.

    Returns
    -------
    float
        ``min ||[dA, theta db]||_F`` such that x solves the changed problem.
    """
    from scipy.optimize import brentq  # a tenth of a second at import, for this function alone

    r = b - A @ x
    r_norm = float(np.linalg.norm(r))
    x_norm = float(np.linalg.norm(x))
    if r_norm == 0:
        return 0.0
    t = (r.conj() @ A).conj() / r_norm
    if np.isinf(theta):
        if x_norm == 0:
            return float(np.linalg.norm(t))
        phi = r_norm / x_norm
    else:
        phi = theta * r_norm / np.sqrt(1 + theta**2 * x_norm**2)
    _, sigma, VH = np.linalg.svd(A, full_matrices=False)
    tau = np.abs(VH @ t) ** 2

    def excess(s: float) -> float:
        h = float(np.sum(tau / (sigma**2 + (phi**2 - s))))
        return (phi**2 - s) * h - s * (1 - h)

    # It falls from a non-negative value at 0; without a root below phi^2 the minimum is phi.
    top = phi**2 * (1 - 1e-10)
    if excess(top) >= 0:
        return float(phi)
    if excess(0.0) <= 0:
        return 0.0
    return float(np.sqrt(brentq(excess, 0.0, top, xtol=np.finfo(float).tiny, rtol=1e-10)))
