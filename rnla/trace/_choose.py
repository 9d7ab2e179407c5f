"""The rule behind ``method="auto"``, and what the other arguments mean for a method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rnla._core.checks import check_word
from rnla.trace._input import as_operand
from rnla.trace._methods import (
    ADAPTIVE_METHODS,
    HERMITIAN_METHODS,
    METHODS,
    AHutchPP,
    Exact,
    Hutchinson,
    Method,
    XNysTrace,
    XTrace,
    _Resphering,
    _Sampling,
)
from rnla.trace._rounds import Budget, check_budget

ASSUMPTIONS = ("general", "hermitian", "psd")
MATVECS = 100
# With fewer products there is no room for a sketch, and with fewer rows none is needed.
_FEW = 4
_TINY = 32


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What `choose_method` decided.

    Attributes
    ----------
    method : Hutchinson, AHutchPP, XTrace, XNysTrace or Exact
        Ready to be passed to `rnla.trace`.
    reason : str
        One sentence that says why.
    """

    method: Method
    reason: str = field(compare=False)


def choose_method(
    A: Any,
    matvecs: int | None = None,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    assume: str = "general",
    shape: tuple[int, int] | int | None = None,
) -> Choice:
    """Say what ``rnla.trace(A, matvecs, method="auto")`` would run, and why.

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator or callable, shape (n, n)
        The matrix; no product with it is made.
    matvecs : int, optional
        As in `rnla.trace`.
    rtol, atol : float, optional
        As in `rnla.trace`.
    assume : {"general", "hermitian", "psd"}
        As in `rnla.trace`.
    shape : int or (int, int), optional
        Of a callable.

    Returns
    -------
    Choice
        With ``.method`` and ``.reason``.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.trace import choose_method
    >>> choose_method(np.eye(500), 100, assume="psd").reason
    'semidefinite: Nyström approximations take one product for each test vector'
    """
    budget = check_budget(matvecs, rtol, atol, 0.95)
    check_word(assume, "assume", ASSUMPTIONS)
    return choose(as_operand(A, shape=shape).shape[1], with_default(budget), assume)


def with_default(budget: Budget) -> Budget:
    """Return the budget with the default number of products, where nothing was asked for."""
    if budget.adaptive or budget.matvecs is not None:
        return budget
    return Budget(
        matvecs=MATVECS,
        rtol=budget.rtol,
        atol=budget.atol,
        confidence=budget.confidence,
        adaptive=False,
    )


def choose(n: int, budget: Budget, assume: str) -> Choice:
    """Do the work of `choose_method` for checked arguments."""
    enough = budget.left(0) >= n
    if enough and (n <= _TINY or not budget.adaptive):
        return Choice(method=Exact(), reason="as many products as rows: the trace itself")
    if budget.adaptive:
        return Choice(method=AHutchPP(), reason="a tolerance: met with the stated confidence")
    if budget.left(0) < _FEW:
        return Choice(method=Hutchinson(), reason="too few products for a sketch")
    if assume == "psd":
        return Choice(
            method=XNysTrace(),
            reason="semidefinite: Nyström approximations take one product for each test vector",
        )
    return Choice(method=XTrace(), reason="every test vector serves the sketch and the residual")


def resolve(
    method: Any, n: int, budget: Budget, assume: str, test_vectors: Any, resphere: Any
) -> Method:
    """Return the method to run, with its options.

    Raises
    ------
    ValueError
        If the method is unknown, or has no use for an option.
    """
    options = {} if test_vectors == "auto" else {"test_vectors": test_vectors}
    if resphere is not None:
        options["resphere"] = resphere
    if isinstance(method, METHODS):
        if options:
            raise ValueError(
                "`test_vectors` and `resphere` must be left out when `method` is an object, which "
                "carries its own options"
            )
        chosen: Method = method
    else:
        # Bad options are bad whatever the method.
        XTrace(test_vectors=test_vectors, resphere=resphere)
        chosen = _with_options(_named(method, n, budget, assume), options, method)
    if budget.adaptive and not isinstance(chosen, ADAPTIVE_METHODS):
        raise ValueError(
            f"`rtol` and `atol` are of no use to method='{chosen.name}', whose split is fixed; "
            "use method='a_hutchpp'"
        )
    if isinstance(chosen, AHutchPP) and not budget.adaptive:
        raise ValueError("`rtol` or `atol` must be given for method='a_hutchpp'")
    if isinstance(chosen, XTrace) and budget.left(0) < 2 and n > 1:
        raise ValueError("`matvecs` must be at least 2 for method='xtrace', got 1")
    return chosen


def is_hermitian(method: Method, assume: str) -> bool:
    """Return whether A = A* is taken for granted."""
    return assume != "general" or isinstance(method, HERMITIAN_METHODS)


def _named(method: Any, n: int, budget: Budget, assume: str) -> Method:
    name = method if isinstance(method, str) else repr(method)
    if name == "auto":
        return choose(n, budget, assume).method
    for kind in METHODS:
        if kind.name == name:
            return kind()
    known = ", ".join(map(repr, ("auto", *(kind.name for kind in METHODS))))
    raise ValueError(f"`method` must be one of {known} or a method object, got {method!r}")


def _with_options(method: Method, options: dict[str, Any], name: Any) -> Method:
    usable = [
        option
        for option, kind in (("test_vectors", _Sampling), ("resphere", _Resphering))
        if isinstance(method, kind)
    ]
    unused = [option for option in options if option not in usable]
    # "auto" may come to the exact trace, which is the same for all test vectors.
    if unused and not (name == "auto" and isinstance(method, Exact)):
        taken = f"method={name!r}"
        if name == "auto":
            taken += f" here, which takes '{method.name}'"
        raise ValueError(
            f"`{unused[0]}` is of no use to {taken}; leave it out, or use method='xtrace'"
        )
    return type(method)(**{option: options[option] for option in options if option in usable})
