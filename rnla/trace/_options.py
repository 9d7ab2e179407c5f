"""Options that the functions of this family share, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rnla._core.checks import check_int, check_positive_float, check_word
from rnla.trace._goal import Goal

VECTORS = ("auto", "signs", "steinhaus", "gaussian", "sphere")
# Products without a word from the caller, and the most that a tolerance may cost.
DEFAULT_MATVECS = 500
MOST_MATVECS = 10_000
# The narrowest block that sees double eigenvalues; wider ones capture less per product.
_BLOCK_SIZE = 2
_FEWEST_MATVECS = 4


@dataclass(frozen=True, kw_only=True)
class Options:
    """Checked options.

    Attributes
    ----------
    goal : Goal
        Products and tolerance.
    budget : int or None
        What the caller said about products.
    method, test_vectors : str
        As given.
    degree : int or None
        Lanczos steps of each sample.
    spectrum : (float, float) or None
        An interval with all eigenvalues.
    block_size : int
        Width of the start of the deflated space.
    """

    goal: Goal
    budget: int | None
    method: str
    test_vectors: str
    degree: int | None
    spectrum: tuple[float, float] | None
    block_size: int


def check_options(
    methods: tuple[str, ...],
    *,
    matvecs: Any,
    rtol: Any,
    atol: Any,
    confidence: Any,
    method: Any,
    degree: Any,
    spectrum: Any,
    block_size: Any,
    test_vectors: Any,
) -> Options:
    """Return checked options; each argument has the name it has in the public functions."""
    rtol = 0.0 if rtol is None else check_positive_float(rtol, "rtol")
    atol = check_positive_float(atol, "atol")
    budget = None if matvecs is None else check_int(matvecs, "matvecs", _FEWEST_MATVECS)
    fallback = MOST_MATVECS if rtol > 0 or atol > 0 else DEFAULT_MATVECS
    goal = Goal(
        limit=fallback if budget is None else budget,
        rtol=rtol,
        atol=atol,
        confidence=check_positive_float(confidence, "confidence", below=1.0),
    )
    method = check_word(method, "method", methods)
    _refuse_unused(method, degree, spectrum, block_size)
    return Options(
        goal=goal,
        budget=budget,
        method=method,
        test_vectors=check_word(test_vectors, "test_vectors", VECTORS),
        degree=None if degree is None else check_int(degree, "degree", 2, goal.limit),
        spectrum=None if spectrum is None else _check_spectrum(spectrum),
        block_size=_BLOCK_SIZE if block_size is None else check_int(block_size, "block_size", 1),
    )


def _refuse_unused(method: str, degree: Any, spectrum: Any, block_size: Any) -> None:
    """Raise for options that the named method has no use for; "auto" may come to use them."""
    unused = {}
    if method == "exact":
        unused = {"degree": degree, "spectrum": spectrum}
    if method not in ("auto", "krylov_aware"):
        unused["block_size"] = block_size
    for name, value in unused.items():
        if value is not None:
            raise ValueError(
                f"`{name}` is of no use to method={method!r}; leave it out, or use "
                "method='krylov_aware'"
            )


def _check_spectrum(spectrum: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in spectrum)
    except (TypeError, ValueError):
        raise TypeError(f"`spectrum` must be a pair of numbers, got {spectrum!r}") from None
    if not low <= high or abs(low) == float("inf") or abs(high) == float("inf"):
        raise ValueError(f"`spectrum` must be finite (low, high) with low <= high, got {spectrum}")
    return low, high
