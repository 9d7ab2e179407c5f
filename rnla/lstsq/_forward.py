"""The forward error of Householder QR: when a round may end, and who still lags behind it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._certificate import Certificate
from rnla.lstsq._defaults import EPS, TOLERANCE
from rnla.lstsq._rounds import Round

# In the norm of A dx and units of roundoff: what products leave, and what a tilted residual adds.
_RANDOM, _TILT = 0.1, 0.03
# A correction of this many levels is worth another round.
_LAG = 4.0


def forward_level(
    certificate: Certificate,
    P: Preconditioner,
    x_size: NDArray[np.float64],
    r_norm: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the forward error of Householder QR in the norm of A dx.

    Rounding errors of products are random: the part of them in the range of A is small against
    ``eps * ||A|| ||x||``. What a residual adds is not random, for it is the range that tilts.

    Parameters
    ----------
    certificate : Certificate
        Knows the norm of A.
    P : Preconditioner
        Knows its condition number.
    x_size, r_norm : ndarray, shape (k,)
        Norms of the iterates, as the certificate measures them, and of the residuals.

    Returns
    -------
    ndarray, shape (k,)
        One level per column.
    """
    return np.asarray(EPS * (_RANDOM * certificate.norm * x_size + _TILT * P.condition * r_norm))


def lagging(
    now: Round,
    certificate: Certificate,
    P: Preconditioner,
    tolerance: float,
    margin: float = _LAG,
) -> NDArray[np.bool_]:
    """Tell which columns have reached the tolerance, but not yet the forward error of QR.

    A small backward error does not imply it: where the residual is small, QR is better than its
    bound. Only for the tolerance of LAPACK; a caller who asks for less gets less.

    Parameters
    ----------
    now : Round
        Iterates with their gradients.
    certificate : Certificate
        Of the round.
    P : Preconditioner
        Maps gradients to corrections.
    tolerance : float
        Backward error that is wanted.
    margin : float
        Levels that a correction may have.

    Returns
    -------
    ndarray of bool, shape (k,)
        Columns worth another round.
    """
    reached = now.errors <= tolerance
    if tolerance > TOLERANCE or not reached.any():
        return np.zeros_like(reached)
    size = np.linalg.norm(P.rmatmat(now.G), axis=0)
    level = forward_level(certificate, P, certificate.size(now.X), now.r_norm)
    return np.asarray(reached & (size > margin * level))
