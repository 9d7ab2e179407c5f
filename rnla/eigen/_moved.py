"""Whether what lies nearest to a moved shift holds all that lies nearest to the caller's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._dense import shifted
from rnla.eigen._inverted import ShiftInvert
from rnla.eigen._problem import Problem
from rnla.eigen._validate import Request

_UNITS = 64.0
# The distance moved is eps to the power 0.4 times the norm, so this is about eps times the norm.
_TO_ROUNDOFF = 0.6


def is_moved(request: Request, problem: Problem) -> bool:
    """Tell whether the inverse belongs to another shift than the caller's.

    Parameters
    ----------
    request : Request
        With the shift.
    problem : Problem
        That is solved.

    Returns
    -------
    bool
        False where no inverse is used.
    """
    if not isinstance(problem, ShiftInvert):
        return False
    cayley_zeros = request.mode == "cayley" and request.selection.which == "SM"
    target = request.sigma or 0.0
    return problem.sigma != (-target if cayley_zeros else target)


def is_ball(request: Request) -> bool:
    """Tell whether the eigenvalues nearest to the shift, on both sides, are wanted.

    Parameters
    ----------
    request : Request
        The checked call.

    Returns
    -------
    bool
        Else one side is preferred, or distances are not what counts.
    """
    which = "SM" if request.sigma is None else "LM"
    return request.mode == "normal" and request.selection.which == which


def nearest(request: Request, problem: Problem, values: NDArray[Any]) -> NDArray[Any] | None:
    """Return which values are nearest to the caller's shift, if none can be missing.

    All eigenvalues within some radius r of the moved shift are known. So are those within
    ``r - d`` of the caller's shift, for d the distance it was moved.

    Parameters
    ----------
    request : Request
        With the shift.
    problem : Problem
        With the moved one.
    values : ndarray, shape (m,)
        The eigenvalues nearest to the moved shift, ascending.

    Returns
    -------
    ndarray of int, shape (k,), or None
        Ascending; None where the radius does not suffice.
    """
    sigma = request.sigma or 0.0
    moved = abs(problem.sigma - sigma)
    radius = float(np.abs(values - problem.sigma).max())
    order = request.selection.order(shifted(values, request))[: request.k]
    reach = float(np.abs(values[order] - sigma).max())
    eps = float(np.finfo(request.dtype).eps)
    slack = _UNITS * eps**_TO_ROUNDOFF * moved + request.tol * radius
    return np.sort(order) if reach <= radius - moved + slack else None
