"""Pictures of results; Matplotlib is imported when one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rnla._core.results import LstsqResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["convergence"]


def convergence(result: LstsqResult, ax: Axes | None = None) -> Axes:
    """Draw the backward error after every step, on a logarithmic axis.

    The first point is the sketched solution, the dashed line the machine epsilon of double
    precision. Errors of exactly zero have no place on the axis and are left out.

    Parameters
    ----------
    result : LstsqResult
        From `rnla.lstsq_refine`.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: the axes of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, to be labelled, shown or saved by the caller.

    Raises
    ------
    ImportError
        If Matplotlib is not installed; ``rnla[plot]`` brings it.

    Examples
    --------
    >>> import numpy as np
    >>> import rnla
    >>> from matplotlib.figure import Figure
    >>> A = np.vander(np.linspace(-1, 1, 5000), 20)
    >>> result = rnla.lstsq_refine(A, np.cos(A[:, -2]), method="spir", rng=0)
    >>> ax = rnla.plot.convergence(result, Figure().subplots())
    >>> ax.get_yscale()
    'log'
    """
    if ax is None:
        ax = _new_axes()
    history = np.where(result.history > 0, result.history, np.nan)
    ax.semilogy(np.arange(len(history)), history, marker=".", label=result.method)
    ax.axhline(
        np.finfo(np.float64).eps, color="0.6", linestyle="--", label="machine epsilon", zorder=1
    )
    ax.set(xlabel="step", ylabel="backward error, relative")
    ax.legend()
    return ax


def _new_axes() -> Axes:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("rnla.plot needs Matplotlib: pip install 'rnla[plot]'") from error
    return pyplot.subplots()[1]
