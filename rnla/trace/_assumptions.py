"""What products show about A is compared with what the caller said about it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.trace._input import Operand
from rnla.trace._rounds import norm

_SLACK = 16


def check_products(operand: Operand, X: NDArray[Any], Y: NDArray[Any], floor: float = 0.0) -> None:
    """Raise if vectors and their products belie what A is assumed to be.

    Parameters
    ----------
    operand : Operand
        The matrix.
    X, Y : ndarray, shape (n, k)
        Any vectors, and ``A X``.
    floor : float
        Rounding error of ``w* A w`` for a test vector, where Y is much smaller than ``||A|| ||X||``
        and does not tell.

    Raises
    ------
    ValueError
        As from `check_form`.
    """
    if operand.hermitian:
        double = np.result_type(Y.dtype, np.float64)
        noise = _SLACK * float(np.finfo(Y.dtype).eps) * norm(X) * norm(Y)
        noise = max(noise, _SLACK * X.shape[1] * floor)
        check_form(operand, (X.conj().T @ Y).astype(double), noise)


def check_adjoint(form: NDArray[Any], Z: NDArray[Any], X: NDArray[Any]) -> None:
    """Raise if two kinds of products are not those of a matrix and of its adjoint.

    Parameters
    ----------
    form : ndarray, shape (k, k)
        ``Q* (A X)``.
    Z : ndarray, shape (n, k)
        What should be ``A* Q``.
    X : ndarray, shape (n, k)
        Any vectors.

    Raises
    ------
    ValueError
        If ``Q* (A X)`` is not ``(A* Q)* X``.
    """
    other = Z.conj().T @ X
    eps = float(np.finfo(Z.dtype).eps)
    off, size = norm(form - other), max(norm(form), norm(other))
    if off > max(_SLACK * eps * norm(Z) * norm(X), float(np.cbrt(eps)) * size):
        raise ValueError(
            "`adjoint`, or what `A` has for products with its adjoint, is not the adjoint of `A`: "
            f"on some vectors w* (A v) and (A* w)* v differ by {off:.1e}, of {size:.1e}"
        )


def check_form(operand: Operand, H: NDArray[Any], noise: float) -> None:
    """Raise if ``H = X* A X`` belies what A is assumed to be.

    Products that are not accurate to rounding, such as those of an iterative solver, pass.

    Parameters
    ----------
    operand : Operand
        The matrix.
    H : ndarray, shape (k, k)
        The form on some vectors, in double precision.
    noise : float
        Size of the rounding errors in it.

    Raises
    ------
    ValueError
        If A is assumed to be Hermitian and H is not, or semidefinite and H has an eigenvalue below
        zero.
    """
    if not operand.hermitian or H.size == 0:
        return
    eps = float(np.finfo(operand.dtype).eps)
    part, _ = hermitian_part(H, noise, eps, "this `assume` or `method`")
    if operand.semidefinite:
        check_definite(np.linalg.eigvalsh(part), max(noise, inexact(H, eps)))


def hermitian_part(
    H: NDArray[Any], noise: float, eps: float, where: str
) -> tuple[NDArray[Any], float]:
    """Return the Hermitian part of a form ``X* A X`` and the size of the rest.

    Parameters
    ----------
    H : ndarray, shape (k, k)
        The form.
    noise : float
        Size of the rounding errors in it.
    eps : float
        Machine epsilon of the products.
    where : str
        What needs a Hermitian A, for the message.

    Returns
    -------
    part : ndarray, shape (k, k)
        ``(H + H*) / 2``.
    skew : float
        ``||H - H*||``.

    Raises
    ------
    ValueError
        If that is more than the products of an iterative solver would show.
    """
    size, skew = norm(H), norm(H - H.conj().T)
    if skew > max(noise, inexact(H, eps)):
        raise ValueError(
            f"`A` must be symmetric or Hermitian for {where}, but on some vectors w* A v and its "
            f"transpose differ by {skew:.1e}, of {size:.1e}; use assume='general' and another "
            "method, such as 'xtrace' or 'xdiag'"
        )
    return 0.5 * (H + H.conj().T), skew


def inexact(H: NDArray[Any], eps: float) -> float:
    """Return the error of a form that products not accurate to rounding may leave."""
    return float(np.cbrt(eps)) * norm(H)


def check_definite(eigenvalues: NDArray[np.float64], noise: float) -> None:
    """Raise if a form of a semidefinite A has an eigenvalue below zero.

    Parameters
    ----------
    eigenvalues : ndarray
        Of the form.
    noise : float
        Their error.

    Raises
    ------
    ValueError
        With advice.
    """
    lowest = float(np.min(eigenvalues, initial=0.0))
    if lowest < -noise:
        raise ValueError(_negative(lowest))


def check_residuals(operand: Operand, residuals: NDArray[Any], floor: float) -> None:
    """Raise if ``x* A x`` is negative for a vector x although A is said to be semidefinite.

    Parameters
    ----------
    operand : Operand
        The matrix.
    residuals : ndarray, shape (k,)
        Such forms, of vectors of about the length of test vectors.
    floor : float
        Their rounding error.

    Raises
    ------
    ValueError
        If one of them is below zero.
    """
    if not operand.semidefinite:
        return
    eps = float(np.finfo(operand.dtype).eps)
    lowest = float(np.min(residuals.real, initial=0.0))
    # Here, too, products that are not accurate to rounding pass.
    if lowest < -max(_SLACK * floor, float(np.cbrt(eps)) * float(np.max(np.abs(residuals)))):
        raise ValueError(_negative(lowest))


def _negative(form: float) -> str:
    return (
        "`A` must be positive semidefinite for this `assume` or `method`, but it has a negative "
        f"Rayleigh quotient: w* A w = {form:.1e}; use assume='hermitian'"
    )
