"""Which methods a LinearOperator has of its own, behind those that SciPy gives to all."""

from __future__ import annotations

from typing import Any

from scipy.sparse.linalg import LinearOperator


def multiplies_blocks(A: LinearOperator, name: str) -> bool:
    """Tell whether a product with blocks is the operator's own, not SciPy's loop over columns.

    That loop hands arrays of shape (n, 1), in SciPy 1.18 stacks, to functions that were written
    for vectors.

    Parameters
    ----------
    A : LinearOperator
        Made in any of SciPy's ways.
    name : str
        "matmat" or "rmatmat".

    Returns
    -------
    bool
        For sums, products and powers: whether all parts do.
    """
    if not overrides(A, f"_{name}"):
        return False
    if type(A).__name__ == "_CustomLinearOperator":
        # Made by LinearOperator(shape, matvec=..., matmat=...).
        return getattr(A, f"_CustomLinearOperator__{name}_impl", None) is not None
    parts = [part for part in getattr(A, "args", ()) if isinstance(part, LinearOperator)]
    return all(multiplies_blocks(part, each) for part in parts for each in ("matmat", "rmatmat"))


def implementation(A: LinearOperator, name: str) -> Any:
    """Return the inner product method, whose result can be checked before SciPy reshapes it.

    Parameters
    ----------
    A : LinearOperator
        Any.
    name : str
        Of the public method.

    Returns
    -------
    callable
        The public one where that is overridden.
    """
    return getattr(A, name if overrides(A, name) else f"_{name}")


def overrides(A: LinearOperator, name: str) -> bool:
    """Tell whether a method is not that of the base class.

    Parameters
    ----------
    A : LinearOperator
        Any.
    name : str
        Of the method.

    Returns
    -------
    bool
        True where a subclass has its own.
    """
    return getattr(type(A), name) is not getattr(LinearOperator, name)
