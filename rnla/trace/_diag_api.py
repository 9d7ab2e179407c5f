"""`diag`: check the input, choose a method, return estimates with their error bars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rnla._core.checks import check_word
from rnla._core.rng import RNGLike, as_generator
from rnla.trace._choose import ASSUMPTIONS, with_default
from rnla.trace._diag_methods import (
    BKS,
    DIAG_METHODS,
    SIGNS,
    DiagMethod,
    Signs,
    UDiagPP,
    XDiag,
    XNysDiag,
)
from rnla.trace._diagonal import (
    bks_rounds,
    exact_diagonal,
    udiagpp_rounds,
    xdiag_rounds,
    xnysdiag_rounds,
)
from rnla.trace._estimate import Estimate
from rnla.trace._input import Operand, as_operand
from rnla.trace._methods import Exact
from rnla.trace._rounds import Budget, Round, check_budget, finish
from rnla.trace._vectors import VectorStream, check_kind

_FEW = 4


def diag(
    A: Any,
    matvecs: int | None = None,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    confidence: float = 0.95,
    assume: str = "general",
    method: str | DiagMethod = "auto",
    test_vectors: Signs = "auto",
    adjoint: Any = None,
    block: int | None = None,
    shape: tuple[int, int] | int | None = None,
    dtype: Any = None,
    rng: RNGLike = None,
) -> Estimate:
    r"""Estimate the diagonal of a matrix that is known by products with vectors.

    The diagonal of a low-rank approximation Q Q* A, and a random estimate of what it leaves:

    .. math:: \operatorname{diag} A = \operatorname{diag}(Q Q^* A)
        + \mathrm{E}\; \bar\omega \circ (I - Q Q^*) A\, \omega .

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator or callable, shape (n, n)
        As for `rnla.trace`.
    matvecs : int, optional
        Number of products with A and its adjoint; with a tolerance the largest number, by default
        without limit. Default without a tolerance: 100. With n or more, the diagonal is exact.
    rtol, atol : float, optional
        Go on until the confidence interval of every entry reaches at most
        ``max(rtol * max(|value|), atol)`` to either side. Zero, like None, is no tolerance.
    confidence : float, default 0.95
        Of the interval of each entry, not of all at once.
    assume : {"general", "hermitian", "psd"}
        What A is known to be. A violation is reported where products show it.
    method : str or a method object, default "auto"
        "xdiag" needs the adjoint, "xnysdiag" is for psd A; both use each test vector for the
        approximation and, leaving it out of that, for the residual. "udiagpp" splits the products
        between the two, and needs the adjoint. "bks" has no approximation. "exact" makes n
        products. "auto" takes "xnysdiag" for psd A, "xdiag" where there is an adjoint, else "bks".
    test_vectors : {"auto", "signs", "steinhaus"}
        Entries ±1, or complex of modulus one. Default: signs, for complex A "steinhaus".
    adjoint : callable or LinearOperator, optional
        Products with the adjoint, where A is a callable or an operator that lacks them. Not
        needed if A is Hermitian.
    block : int, optional
        Vectors that an operator or a callable gets at once, and that "bks" keeps; default 32. It
        bounds memory and does not change the result. Arrays are multiplied with 96 at once.
    shape : int or (int, int), optional
        Of a callable.
    dtype : dtype, optional
        Of a callable; default float64.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the test vectors, as in ``numpy.random.default_rng``.

    Returns
    -------
    Estimate
        With ``value`` and ``stderr`` of shape (n,), ``confidence_interval()``, ``n_matvec`` and
        more. The values are real if A is, or is said to be Hermitian.

    Raises
    ------
    ValueError
        If A is not square, holds or returns NaN or infinity, an option is out of range or of no use
        to the method, or A is seen not to be what `assume` or the method says.
    TypeError
        If an argument has the wrong type, or a method that needs the adjoint finds none.

    Warns
    -----
    ConvergenceWarning
        If `matvecs` products did not meet the tolerance.

    See Also
    --------
    rnla.trace : Their sum, at a smaller error.
    rnla.row_norms : Norms of rows, such as leverage scores.

    Notes
    -----
    Products: "bks" makes one per test vector, "xdiag" two, "xnysdiag" one. Beside them, ``O(n
    s^2)`` flops for s products and at most ``3 n s + 7 s^2`` numbers of memory; "bks" needs ``5 n``
    times `block`.

    Which one. The error of "bks" in entry i is the norm of the rest of row i over ``sqrt(s)``.
    For a flat spectrum nothing does better: "bks" is then the most accurate by a factor of about
    two. For one that decays, "xdiag" and "xnysdiag" gain as many digits as the low-rank
    approximation has.

    The samples of "xdiag" and "xnysdiag" depend on each other, so that their spread is too small an
    error bar, and the jackknife's too large. ``stderr`` is the geometric mean, entry by entry:
    from 30 products on, 95 % intervals hold 94 to 100 % of the entries. With a dozen or fewer, as
    few as 70 % of those of rows with two entries, whose residuals take few values. Where samples of
    "bks" or "udiagpp" agree and there are fewer than 6, ``stderr`` is infinite: signs agree by
    chance.

    References
    ----------
    .. [1] E. N. Epperly, J. A. Tropp, R. J. Webber, "XTrace: making the most of every sample in
       stochastic trace estimation", SIAM J. Matrix Anal. Appl. 45 (2024), 1-23.
    .. [2] C. Bekas, E. Kokiopoulou, Y. Saad, "An estimator for the diagonal of a matrix", Appl.
       Numer. Math. 57 (2007), 1214-1229.

    Examples
    --------
    >>> import numpy as np
    >>> import rnla
    >>> x = np.linspace(0, 1, 2000)
    >>> K = np.exp(-8 * (x[:, None] - x) ** 2) * (1 + x) * (1 + x)[:, None]
    >>> estimate = rnla.diag(K, 40, assume="psd", rng=0)
    >>> bool(np.allclose(estimate.value, (1 + x) ** 2, rtol=1e-8))
    True
    """
    budget = with_default(check_budget(matvecs, rtol, atol, confidence))
    check_word(assume, "assume", ASSUMPTIONS)
    operand = as_operand(A, shape=shape, dtype=dtype, adjoint=adjoint, block=block)
    check_word(test_vectors, "test_vectors", SIGNS)
    operand.hermitian = assume != "general"
    operand.rescaled = True
    chosen = _resolve(method, operand, budget, assume, test_vectors)
    check_kind(test_vectors, operand.dtype)
    if rng is not None:
        as_generator(rng)
    operand.semidefinite = assume == "psd" or isinstance(chosen, XNysDiag)
    operand.hermitian = operand.hermitian or operand.semidefinite
    return finish(_rounds(operand, chosen, budget, rng), operand, budget)


def _resolve(
    method: Any, operand: Operand, budget: Budget, assume: str, test_vectors: Any
) -> DiagMethod:
    if isinstance(method, DIAG_METHODS):
        if test_vectors != "auto":
            raise ValueError(
                "`test_vectors` must be left out when `method` is an object, which carries its own "
                "options"
            )
        chosen: DiagMethod = method
    else:
        kind = _kind(method, operand, budget, assume)
        chosen = Exact() if kind is Exact else kind(test_vectors=test_vectors)
    if isinstance(chosen, UDiagPP) and budget.adaptive:
        raise ValueError(
            "`rtol` and `atol` are of no use to method='udiagpp', whose split is fixed; use 'xdiag'"
        )
    if isinstance(chosen, XDiag) and budget.left(0) < 2 and operand.shape[1] > 1:
        raise ValueError("`matvecs` must be at least 2 for method='xdiag', got 1")
    return chosen


def _kind(method: Any, operand: Operand, budget: Budget, assume: str) -> type[Any]:
    name = method if isinstance(method, str) else repr(method)
    if name == "auto":
        n, left = operand.shape[1], budget.left(0)
        if not budget.adaptive and left >= n:
            return Exact
        if left < _FEW:
            return BKS
        if assume == "psd":
            return XNysDiag
        return XDiag if operand.has_adjoint else BKS
    for kind in DIAG_METHODS:
        if kind.name == name:
            return kind
    known = ", ".join(map(repr, ("auto", *(kind.name for kind in DIAG_METHODS))))
    raise ValueError(f"`method` must be one of {known} or a method object, got {method!r}")


def _rounds(operand: Operand, method: DiagMethod, budget: Budget, rng: RNGLike) -> Iterator[Round]:
    n = operand.shape[1]
    if isinstance(method, XDiag | UDiagPP):
        operand.require_adjoint(f"method='{method.name}'")
    if isinstance(method, Exact) or (not budget.adaptive and budget.left(0) >= n):
        if budget.left(0) < n:
            raise ValueError(
                f"`matvecs` must be at least {n}, the rows of `A`, for method='exact', got "
                f"{budget.matvecs}"
            )
        return exact_diagonal(operand)
    kind = method.kind(complex_numbers=operand.dtype.kind == "c")
    vectors = VectorStream.draw(n, kind, operand.dtype, rng)
    if isinstance(method, BKS):
        return bks_rounds(operand, vectors, budget)
    if isinstance(method, UDiagPP):
        return udiagpp_rounds(operand, vectors, budget, method.sketch_size)
    if isinstance(method, XDiag):
        return xdiag_rounds(operand, vectors, budget)
    return xnysdiag_rounds(operand, vectors, budget)
