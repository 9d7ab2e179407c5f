"""Values of the caller's function at estimated eigenvalues, or one clear refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

SpectralFunction = Callable[[NDArray[np.float64]], Any]

# Estimated eigenvalues are off by some roundoffs of the largest.
_ROUNDOFFS = 100


def evaluate(
    f: SpectralFunction,
    nodes: NDArray[np.float64],
    eps: float,
    *,
    name: str = "f",
    scale: float = 0.0,
) -> NDArray[np.float64]:
    """Return ``f(nodes)``, real and finite.

    Where f is undefined at a node that is zero up to rounding, such as the square root at -1e-17,
    ``f(0)`` is taken.

    Parameters
    ----------
    f : callable
        Maps an array to an array of the same shape.
    nodes : ndarray, shape (k,)
        Estimated eigenvalues.
    eps : float
        Roundoff of the precision that they were computed in.
    name : str
        Name of the argument.
    scale : float
        Size of A, where it may be larger than that of the nodes.

    Returns
    -------
    ndarray of float64, shape (k,)
        The values.

    Raises
    ------
    TypeError
        If f does not return real numbers.
    ValueError
        If it returns another shape, NaN or infinity; the message says where.
    """
    if len(nodes) == 0:
        return np.zeros(0)
    values = _call(f, nodes, name)
    undefined = ~np.isfinite(values)
    if undefined.any():
        largest = float(np.abs(nodes).max(initial=scale))
        zero = undefined & (np.abs(nodes) <= _ROUNDOFFS * eps * largest)
        if zero.any():
            values = values.copy()
            values[zero] = _call(f, np.zeros(1), name)[0]
            undefined = ~np.isfinite(values)
    if undefined.any():
        first = int(np.flatnonzero(undefined)[0])
        count = int(np.count_nonzero(undefined))
        raise ValueError(
            f"`{name}` is {values[first]} at {nodes[first]:.6g}, an estimated eigenvalue of `A` "
            f"({count} of {len(nodes)} such values, between {np.min(nodes[undefined]):.6g} and "
            f"{np.max(nodes[undefined]):.6g}): it must be finite on the whole spectrum"
        )
    return values


def _call(f: SpectralFunction, nodes: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    # The message of `evaluate` says more than a floating-point warning.
    with np.errstate(all="ignore"):
        values = np.asarray(f(nodes.copy()))
    if values.shape != nodes.shape:
        raise ValueError(
            f"`{name}` must map an array of shape {nodes.shape} to one of the same shape, "
            f"got {values.shape}"
        )
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"`{name}` must return real numbers, got dtype {values.dtype}; estimate the real and "
            "the imaginary part one after the other"
        )
    return values.astype(np.float64)


def check_function(f: Any, name: str = "f") -> SpectralFunction:
    """Return `f` if it can be called."""
    if not callable(f):
        raise TypeError(f"`{name}` must be a callable on arrays of eigenvalues, got {f!r}")
    function: SpectralFunction = f
    return function
