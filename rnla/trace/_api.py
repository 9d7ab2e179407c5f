"""`trace`: check the input, choose a method, return an estimate with its error bar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnla._core.checks import check_word
from rnla._core.rng import RNGLike, as_generator
from rnla.trace._a_hutchpp import a_hutchpp_rounds
from rnla.trace._choose import ASSUMPTIONS, is_hermitian, resolve, with_default
from rnla.trace._estimate import Estimate
from rnla.trace._exact import exact_rounds
from rnla.trace._hutchinson import hutchinson_rounds, shift_rounds
from rnla.trace._hutchpp import hutchpp_rounds, na_hutchpp_rounds
from rnla.trace._input import Operand, as_operand
from rnla.trace._methods import (
    AHutchPP,
    Exact,
    Hutchinson,
    HutchPP,
    Method,
    NAHutchPP,
    TestVectors,
    XNysTrace,
    XTrace,
    resphered,
    vector_kind,
)
from rnla.trace._rounds import Budget, Round, check_budget, finish
from rnla.trace._vectors import KINDS, VectorStream, check_kind
from rnla.trace._xnystrace import xnystrace_rounds
from rnla.trace._xtrace import xtrace_rounds

# Streams of test vectors for the steps of a sequence; those below are taken by single estimates.
_FIRST_STREAM, _STREAMS = 16, 65_000


def trace(
    A: Any,
    matvecs: int | None = None,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    confidence: float = 0.95,
    assume: str = "general",
    method: str | Method = "auto",
    test_vectors: TestVectors = "auto",
    resphere: bool | None = None,
    previous: Estimate | None = None,
    block: int | None = None,
    shape: tuple[int, int] | int | None = None,
    dtype: Any = None,
    rng: RNGLike = None,
) -> Estimate:
    r"""Estimate the trace of a matrix that is known by products with vectors.

    A low-rank approximation Q Q* A Q Q* from random products gives most of the trace, and a random
    estimate of what it leaves takes its bias away:

    .. math:: \operatorname{tr} A = \operatorname{tr}(Q^* A Q)
        + \mathrm{E}\, \omega^* (I - Q Q^*) A (I - Q Q^*)\, \omega .

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator or callable, shape (n, n)
        In float32, float64, complex64 or complex128; integers count as float64. A callable maps a
        block of vectors, shape (n, k), to ``A`` times it, and needs `shape`. For an explicit
        matrix ``np.trace`` is exact and free: an array is treated like an operator here.
    matvecs : int, optional
        Number of products with A, at least 1; with a tolerance the largest number, by default
        without limit. Default without a tolerance: 100. With n or more, the trace is exact.
    rtol, atol : float, optional
        Go on until the error is at most ``max(rtol * |value|, atol)`` with probability
        `confidence`. All products are used again as the run goes on. Zero, like None, is no
        tolerance.
    confidence : float, default 0.95
        For the tolerance, and the default level of ``result.confidence_interval()``.
    assume : {"general", "hermitian", "psd"}
        What A is known to be; "psd" is Hermitian and positive semidefinite. A violation is reported
        where products show it.
    method : str or a method object, default "auto"
        "xtrace" and, for psd A, "xnystrace" use each test vector for the approximation and,
        leaving it out of that, for the residual. "hutchpp" splits the products between the two.
        "a_hutchpp" chooses the split for a tolerance. "na_hutchpp", for Hermitian A, makes all
        products independently of each other. "xsymtrace" is "xnystrace" for Hermitian A that may be
        indefinite, and heavy-tailed there. "hutchinson" has no approximation and keeps nothing.
        "exact" makes n products. ``rnla.trace`` is this function and also the module of the method
        objects: ``from rnla.trace import HutchPP, choose_method``.
    test_vectors : {"auto", "signs", "steinhaus", "gaussian", "sphere"}
        Entries ±1; complex of modulus one (for complex A); standard normal; uniform on the sphere
        of radius ``sqrt(n)``. The last two are complex for complex A. Default: "gaussian" for
        methods that resphere, else signs, for complex A "steinhaus".
    resphere : bool, optional
        Give the projected test vectors the length that vectors of the complement would have. It
        lowers the variance, by orders of magnitude for flat tails of the spectrum, and is unbiased
        only for "gaussian" and "sphere". Default: where the test vectors allow.
    previous : Estimate, optional
        The result for a matrix B close to A. Half of the products are made with B, and the
        estimate is ``c * previous.value`` plus Hutchinson's estimate of ``tr(A - c B)``, with the
        c of least variance. `previous` holds a reference to B, which must not have changed.
        Equal seeds are no harm: every step of a sequence draws vectors of its own.
    block : int, optional
        Vectors that an operator or a callable gets at once, and that Hutchinson's estimator keeps;
        default 32. It bounds memory and does not change the result. An array, which is no smaller
        than that, is multiplied with 96 at once whatever it says, so that bits do not depend on it.
    shape : int or (int, int), optional
        Of a callable.
    dtype : dtype, optional
        Of a callable; default float64.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the test vectors, as in ``numpy.random.default_rng``. Equal seeds give the same
        bits for any number of threads of rnla's and any `block`, where A does.

    Returns
    -------
    Estimate
        With ``value``, ``stderr``, ``confidence_interval()``, ``n_matvec``, ``method``, ``status``
        and more. The value is a complex number if A is complex and not said to be Hermitian.

    Raises
    ------
    ValueError
        If A is not square, holds or returns NaN or infinity, an option is out of range or of no use
        to the method, or A is seen not to be what `assume` or the method says.
    TypeError
        If an argument has the wrong type.

    Warns
    -----
    ConvergenceWarning
        If `matvecs` products did not meet the tolerance.

    See Also
    --------
    rnla.diag : All entries of the diagonal.
    numpy.trace : The trace of an explicit matrix.

    Notes
    -----
    Products: "hutchinson" makes one per test vector, "xtrace" two, "xnystrace" and "xsymtrace" one;
    "hutchpp" two for each column of its sketch and one for each residual sample. Beside them,
    ``O(n s^2)`` flops for s products and at most ``3 n s + 5 s^2`` numbers of memory; "hutchinson"
    needs ``4 n`` times `block`. What a callable needs itself comes on top.

    Which error bar. It is Student's interval on the samples, with a floor for rounding. The samples
    of "xtrace" and its kin depend on each other: their spread alone would be too small, by a factor
    of three and more where s is about twice the rank of a spectrum that falls off a cliff. The
    jackknife, from leaving out two vectors at a time, is too large instead, and ``stderr`` is the
    geometric mean of both. Measured, it is 0.8 to 2.6 times the root mean square error, and more
    where that is rounding.
    "a_hutchpp" has a proof: it misses the tolerance with a probability of at most
    ``2 (1 - confidence)``, in practice far less; its error bar, from the norm of the residual, is
    on the safe side. With other methods `rtol` is met by the error bar, not by a proof. Runs with a
    tolerance stop by what their samples show, which biases "a_hutchpp" by about a hundredth of the
    tolerance; without one, estimates are unbiased.

    Samples of signs may be equal by chance: where fewer than 11 are, ``stderr`` is infinite.
    Products need not be accurate to rounding, as those of an iterative solver are not.

    Where nothing helps. A flat spectrum has no low-rank part: then every method has about the error
    of "hutchinson", ``sqrt(2 / s) ||A||_F``. With signs "hutchinson" has no error for diagonal A. A
    rank of A below that of the sketch is noticed, and the value then exact; so is a budget or a
    tolerance for which n products are no more.

    References
    ----------
    .. [1] E. N. Epperly, J. A. Tropp, R. J. Webber, "XTrace: making the most of every sample in
       stochastic trace estimation", SIAM J. Matrix Anal. Appl. 45 (2024), 1-23.
    .. [2] R. A. Meyer, C. Musco, C. Musco, D. P. Woodruff, "Hutch++: optimal stochastic trace
       estimation", SOSA 2021, 142-155.
    .. [3] D. Persson, A. Cortinovis, D. Kressner, "Improved variants of the Hutch++ algorithm for
       trace estimation", SIAM J. Matrix Anal. Appl. 43 (2022), 1162-1185.
    .. [4] P. Dharangutte, C. Musco, "Dynamic trace estimation", NeurIPS 2021.

    Examples
    --------
    The trace of an inverse, by solves:

    >>> import numpy as np
    >>> import rnla
    >>> from scipy.sparse import diags_array
    >>> from scipy.sparse.linalg import splu
    >>> T = diags_array([-1.0, 2.001, -1.0], offsets=[-1, 0, 1], shape=(2000, 2000)).tocsc()
    >>> solve = splu(T).solve
    >>> estimate = rnla.trace(solve, 100, shape=2000, assume="psd", rng=0)
    >>> estimate.method, estimate.n_matvec
    ('xnystrace', 100)
    >>> angles = np.arange(1, 2001) * np.pi / 2001
    >>> exact = np.sum(1 / (2.001 - 2 * np.cos(angles)))
    >>> abs(estimate.value - exact) < 4 * estimate.stderr
    True
    """
    budget = with_default(check_budget(matvecs, rtol, atol, confidence))
    check_word(assume, "assume", ASSUMPTIONS)
    operand = as_operand(A, shape=shape, dtype=dtype, block=block)
    check_word(test_vectors, "test_vectors", ("auto", *KINDS))
    check_kind(test_vectors, operand.dtype)
    chosen = resolve(
        "hutchinson" if previous is not None and method == "auto" else method,
        operand.shape[1],
        budget,
        assume,
        test_vectors,
        resphere,
    )
    operand.hermitian = is_hermitian(chosen, assume)
    operand.semidefinite = assume == "psd" or isinstance(chosen, XNysTrace)
    operand.rescaled = True
    if rng is not None:
        as_generator(rng)
    if previous is not None:
        rounds = _after(previous, operand, chosen, budget, rng)
    else:
        rounds = _rounds(operand, chosen, budget, rng)
    return finish(rounds, operand, budget)


def _rounds(operand: Operand, method: Method, budget: Budget, rng: RNGLike) -> Iterator[Round]:
    n = operand.shape[1]
    if isinstance(method, Exact) or (not budget.adaptive and budget.left(0) >= n):
        if budget.left(0) < n:
            raise ValueError(
                f"`matvecs` must be at least {n}, the rows of `A`, for method='exact', got "
                f"{budget.matvecs}"
            )
        return exact_rounds(operand)
    if isinstance(method, AHutchPP):
        vectors = VectorStream.draw(n, "gaussian", operand.dtype, rng)
        return a_hutchpp_rounds(operand, vectors, budget)
    kind = vector_kind(method, complex_numbers=operand.dtype.kind == "c")
    vectors = VectorStream.draw(n, kind, operand.dtype, rng)
    if isinstance(method, Hutchinson):
        return hutchinson_rounds(operand, vectors, budget)
    if isinstance(method, NAHutchPP):
        return na_hutchpp_rounds(operand, vectors, budget)
    resphere = resphered(method, kind)
    if isinstance(method, HutchPP):
        return hutchpp_rounds(operand, vectors, resphere, budget, method.sketch_size)
    if isinstance(method, XTrace):
        return xtrace_rounds(operand, vectors, resphere, budget)
    semidefinite = method.name == "xnystrace"
    return xnystrace_rounds(operand, vectors, resphere, budget, semidefinite=semidefinite)


def _after(
    previous: Estimate, operand: Operand, method: Method, budget: Budget, rng: RNGLike
) -> Iterator[Round]:
    given: object = previous
    if not isinstance(given, Estimate) or not isinstance(previous.source, Operand):
        raise TypeError(
            "`previous` must be what rnla.trace returned in this process, with its matrix, got "
            f"{type(given).__name__}"
        )
    if np.ndim(previous.value):
        raise TypeError(
            "`previous` must be what rnla.trace returned, got an estimate of shape "
            f"{np.shape(previous.value)}"
        )
    before = previous.source
    if before.shape != operand.shape:
        raise ValueError(f"`previous` must be of shape {operand.shape}, got {before.shape}")
    operand.step = before.step + 1
    if not isinstance(method, Hutchinson):
        raise ValueError(f"`previous` is of no use to method='{method.name}'; leave `method` out")
    if budget.left(0) < 2:
        raise ValueError("`matvecs` must be at least 2 with `previous`, got 1")
    if not budget.adaptive and budget.left(0) >= operand.shape[1]:
        return exact_rounds(operand)
    if before.dtype.kind != operand.dtype.kind:
        kind = "complex" if operand.dtype.kind == "c" else "real"
        raise TypeError(
            f"`previous` must be of a {kind} matrix, as `A` is, got dtype {before.dtype}"
        )
    kind = vector_kind(method, complex_numbers=operand.dtype.kind == "c")
    # The same seed at every step must not mean the same vectors: errors would add up.
    vectors = VectorStream.draw(operand.shape[1], kind, operand.dtype, rng).other(
        _FIRST_STREAM + operand.step % _STREAMS
    )
    return shift_rounds(operand, before, previous, vectors, budget)
