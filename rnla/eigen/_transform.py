"""The transformation that puts the eigenvalues asked for at the ends of a spectrum."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rnla.eigen._definite import InnerSpace, checked_inner_space, requirement
from rnla.eigen._invert import definite_inverse, must_iterate, shifted_inverse
from rnla.eigen._inverted import Buckling, Cayley, Reflected, ShiftInvert
from rnla.eigen._problem import Generalized, Problem, Standard
from rnla.eigen._select import Selection
from rnla.eigen._validate import Request
from rnla.linalg.block import BlockOperator, DenseBlock, OperatorBlock


def spectral_problem(request: Request) -> tuple[Problem, Selection]:
    """Return an operator whose extreme eigenvalues are the ones asked for.

    Parameters
    ----------
    request : Request
        The checked call.

    Returns
    -------
    problem : Problem
        Operator, inner product and the way back.
    selection : Selection
        What is wanted of its eigenvalues.

    Raises
    ------
    ValueError
        If `M`, or `A` in buckling mode, is seen to be no inner product.
    """
    if request.M is not None and request.OPinv is None and not request.explicit:
        request = _with_entries(request)
    A, M, sigma, dtype = request.A, request.M, request.sigma, request.dtype
    selection, inverted = request.selection, Selection("LM", request.k)

    def inverse(A: BlockOperator, M: BlockOperator | None, sigma: float) -> Any:
        return shifted_inverse(A, M, sigma, dtype, request.tol)

    smallest = selection.which == "SM"
    if sigma is None:
        if smallest:
            space = checked_inner_space(request)
            K, shift = inverse(A, M, 0.0)
            return ShiftInvert(K, M, shift, dtype, space), inverted
        return _unshifted(request, 0.0), selection
    if smallest and request.mode == "normal":
        # The ones farthest from the shift.
        return _unshifted(request, sigma), inverted
    space = checked_inner_space(request)
    if smallest and request.mode == "cayley":
        K, shift = inverse(A, M, -sigma)
        return Cayley(K, M, shift, dtype, space), inverted
    if smallest:
        try:
            K = definite_inverse(A, dtype, request.tol)
        except np.linalg.LinAlgError:
            raise ValueError(requirement(request)) from None
        return Reflected(K, A, M, sigma, dtype), inverted
    K, shift = (request.OPinv, sigma) if request.OPinv is not None else inverse(A, M, sigma)
    if request.mode == "buckling":
        return Buckling(K, A, shift, dtype, InnerSpace(request.n, True)), selection
    kind = Cayley if request.mode == "cayley" else ShiftInvert
    return kind(K, M, shift, dtype, space), selection


def _with_entries(request: Request) -> Request:
    """Return a call with M as a matrix where an inverse needs its entries anyway."""
    M, inverted = request.M, request.sigma is not None or request.selection.which == "SM"
    if not inverted or not isinstance(M, OperatorBlock) or must_iterate(request.A, M):
        return request
    entries = M.todense()
    if not np.isfinite(entries).all():
        raise ValueError("`M` returned NaN or infinity")
    return replace(request, M=DenseBlock(entries))


def _unshifted(request: Request, sigma: float) -> Problem:
    """Return ``A - sigma I`` or ``M^-1 A - sigma I``."""
    M, Minv = request.M, request.Minv
    if M is None:
        return Standard(request.A, sigma, request.dtype)
    if Minv is None:
        try:
            Minv = definite_inverse(M, request.dtype, request.tol)
        except np.linalg.LinAlgError:
            raise ValueError(requirement(request)) from None
    return Generalized(request.A, M, Minv, sigma, request.dtype)
