"""The backward error without a factor: Lanczos and Gauss-Radau quadrature."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.normal import NormalOperator

# Steps of Lanczos at the most, and how close the two bounds should come.
_LANCZOS = 40
_CLOSE = 1.5
# Products below this may be zero by underflow alone.
_LEAST = 1e-290


class QuadratureCertificate:
    """The Karlson-Walden estimate from products with A alone.

    For the column-scaled matrix ``A D``, its gradient ``g = D A^H r`` and ``nu = ||r|| / ||x||``,
    ``g^H (D A^H A D + nu^2 I)^-1 g`` lies between what k steps of Lanczos from g give as Gauss and,
    with a node at the lower end nu^2 of the spectrum, as Gauss-Radau quadrature [1]_. The upper
    bound is taken; two bounds that need no Lanczos steps come first.

    Parameters
    ----------
    A : NormalOperator
        The matrix.
    scale : ndarray, shape (n, 1)
        The diagonal of D.
    norm : float
        The Frobenius norm of ``A D``.

    References
    ----------
    .. [1] G. H. Golub, G. Meurant, "Matrices, moments and quadrature with applications", Princeton
       2010.
    """

    def __init__(self, A: NormalOperator, scale: NDArray[np.float64], norm: float) -> None:
        self.A, self.scale, self.norm = A, scale, norm or 1.0

    def size(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the column norms of ``D^-1 X``."""
        return np.asarray(np.linalg.norm(X / self.scale, axis=0))

    def certify(
        self,
        G: NDArray[Any],
        r_norm: NDArray[np.float64],
        x_size: NDArray[np.float64],
        enough: float,
    ) -> NDArray[np.float64]:
        """Return an upper bound of the relative backward error per column."""
        G = self.scale * G
        errors = self.estimate(G, r_norm, x_size, enough)
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = np.fmin(errors, r_norm / x_size / self.norm)
        # A gradient that underflowed says nothing.
        lost = ~G.any(axis=0) & (r_norm > 0) & (r_norm < _LEAST * np.max(self.scale))
        errors[lost] = np.inf
        for k in np.flatnonzero(~lost & ~(errors <= enough) & (x_size > 0) & (r_norm > 0)):
            unit = x_size[k] * self.norm
            value = self._quadrature(G[:, k : k + 1], r_norm[k] / x_size[k], enough * unit)
            errors[k] = np.fmin(errors[k], value / unit)
        return errors

    def estimate(
        self,
        rho: NDArray[Any],
        r_norm: NDArray[np.float64],
        x_size: NDArray[np.float64],
        enough: float,
    ) -> NDArray[np.float64]:
        """Return ``||g|| / (||r|| ||A D||)``, the first of the cheap bounds."""
        g_norm = np.linalg.norm(rho, axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(g_norm == 0, 0.0, g_norm / r_norm / self.norm)

    def _quadrature(self, g: NDArray[Any], nu: float, enough: float) -> float:
        """Return an upper bound of ``||(D A^H A D + nu^2 I)^(-1/2) g||``."""
        length = float(np.linalg.norm(g))
        basis = [g / length]
        T = np.zeros((_LANCZOS + 1, _LANCZOS + 1))
        best = np.inf
        for k in range(min(_LANCZOS, len(g))):
            w = self.scale * self.A.normal(self.scale * basis[k])
            T[k, k] = np.vdot(basis[k], w).real
            # Twice, against all: few and short vectors, and the bounds hold to rounding.
            for _ in range(2):
                for v in basis:
                    w = w - v * np.vdot(v, w)
            off = float(np.linalg.norm(w))
            lower, upper = _bounds(T[: k + 1, : k + 1], off, nu**2)
            best = min(best, length * np.sqrt(upper))
            if off == 0 or best <= max(enough, _CLOSE * length * np.sqrt(lower)):
                break
            T[k, k + 1] = T[k + 1, k] = off
            basis.append(w / off)
        return float(best)


def _bounds(T: NDArray[np.float64], off: float, shift: float) -> tuple[float, float]:
    """Return the Gauss and the Gauss-Radau value of ``e_1^T (T_n + shift I)^-1 e_1``."""
    k = len(T)
    last = np.zeros(k)
    last[-1] = 1.0
    extended = np.zeros((k + 1, k + 1))
    extended[:k, :k] = T + shift * np.eye(k)
    extended[k - 1, k] = extended[k, k - 1] = off
    try:
        extended[k, k] = shift + off**2 * np.linalg.solve(T, last)[-1]
        return _corner(extended[:k, :k]), _corner(extended)
    except np.linalg.LinAlgError:
        return 0.0, np.inf


def _corner(T: NDArray[np.float64]) -> float:
    first = np.zeros(len(T))
    first[0] = 1.0
    value = float(np.linalg.solve(T, first)[0])
    # Rounding of a nearly singular matrix bounds nothing.
    return value if value >= 0 else np.inf
