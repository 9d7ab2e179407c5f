"""The forward error of Householder QR: when a round may end, and who has not reached it yet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._certificate import Certificate
from rnla.lstsq._defaults import EPS, TOLERANCE
from rnla.lstsq._rounds import Round

# In the norm of A dx and units of roundoff: what products leave, and what a tilted residual adds.
_RANDOM, _TILT = 0.25, 0.2
# Near the square, where the range is all there is.
_MOST_SHARE = 0.2
# What storing x loses, in units of roundoff.
_ROUNDED = 0.5
# A correction of this many levels is worth another round, if the last one had this gain.
_LAG, _GAIN = 2.0, 2.0


def forward_level(
    certificate: Certificate,
    P: Preconditioner,
    x_size: NDArray[np.float64],
    r_norm: NDArray[np.float64],
    rows: int,
) -> NDArray[np.float64]:
    """Return the forward error of Householder QR in the norm of A dx, a few times over.

    Rounding errors are random vectors of length ``eps * ||A|| ||x||``, of which the range of A
    holds the share ``sqrt(n / m)``; in the same share the range tilts against the residual.

    Parameters
    ----------
    certificate : Certificate
        Knows the norm of A.
    P : Preconditioner
        Knows its condition number.
    x_size, r_norm : ndarray, shape (k,)
        Norms of the iterates, as the certificate measures them, and of the residuals.
    rows : int
        Of A.

    Returns
    -------
    ndarray, shape (k,)
        One level per column.
    """
    share = min(_MOST_SHARE, np.sqrt(P.rank / max(rows, 1)))
    size = _RANDOM * certificate.norm * x_size + _TILT * P.condition * r_norm
    return np.asarray(EPS * share * size)


class ForwardError:
    """Knows which columns have reached the tolerance, but not yet the forward error of QR.

    A small backward error does not imply it: where the residual is small, QR is better than its
    bound. Only for the tolerance of LAPACK; a caller who asks for less gets less.

    Parameters
    ----------
    certificate : Certificate
        Of the rounds.
    P : Preconditioner
        Maps gradients to corrections.
    tolerance : float
        Backward error that is wanted.
    rows : int
        Of A.
    """

    def __init__(
        self, certificate: Certificate, P: Preconditioner, tolerance: float, rows: int
    ) -> None:
        self.certificate, self.P = certificate, P
        self.tolerance, self.rows = tolerance, rows
        self.smallest: NDArray[np.float64] | float = np.inf

    def judge(self, now: Round) -> NDArray[np.bool_]:
        """Return which columns are late; it remembers the correction, so ask once per round."""
        reached = now.errors <= self.tolerance
        known = np.isfinite(self.P.condition) and self.tolerance <= TOLERANCE
        if not known or not reached.any():
            return np.zeros_like(reached)
        # In the norm of x, for one of A dx would be filled by the rounding of x itself.
        size = self.certificate.size(self.P.matmat(self.P.rmatmat(now.G)))
        x_size = self.certificate.size(now.X)
        level = forward_level(self.certificate, self.P, x_size, now.r_norm, self.rows)
        level = level * self.P.condition / self.certificate.norm + _ROUNDED * EPS * x_size
        gaining = _GAIN * size < self.smallest
        self.smallest = np.fmin(size, self.smallest)
        return np.asarray(reached & gaining & (size > _LAG * level))
