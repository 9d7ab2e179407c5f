"""`epsi`: check the input, sketch, iterate, return a certified result."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import (
    as_inexact,
    check_finite_array,
    check_int,
    check_positive_float,
    check_word,
)
from rnla._core.driver import Callback, Outcome, State, run
from rnla._core.rng import RNGLike, as_generator
from rnla._core.status import ConvergenceWarning, Status
from rnla.eigen._epsi_iterations import EpsiState, iterate, lazy_step, single_step
from rnla.eigen._epsi_problem import HermitianProblem, Pairs, Problem, SingularProblem
from rnla.eigen._epsi_rate import predicted_rate
from rnla.eigen._epsi_surrogate import (
    FAMILIES,
    adopt_surrogate,
    default_shrink,
    in_units_of_the_caller,
    make_surrogate,
)
from rnla.eigen._result import EigenResult
from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock, as_block_operator
from rnla.linalg.surrogate import Surrogate

_METHODS = ("auto", "single", "lazy")
_WHICH = ("LA", "SA", "LM")
_MAXITER = 200
# Residuals are formed to a few roundoffs times a slowly growing factor.
_TOLERANCE_POWER = 0.75
_RISE = 10.0
_RISEN_FOR = 10
# Products such as Q D Q^T are Hermitian to rounding only.
_ASYMMETRY = 100


def epsi(
    A: Any,
    k: int = 1,
    *,
    hermitian: bool | None = None,
    which: str = "LA",
    method: str = "auto",
    c: float = 0.0,
    sketch: str | None = None,
    sketch_size: int | None = None,
    shrink: float | None = None,
    surrogate: Any = None,
    v0: Any = None,
    rtol: float | None = None,
    maxiter: int | None = None,
    predict_rate: bool = False,
    callback: Callback | None = None,
    rng: RNGLike = None,
    check_finite: bool = True,
) -> EigenResult:
    r"""Compute eigenpairs or singular triplets by error-powered sketched inverse iteration.

    A sketch :math:`\hat A` of A is never trusted for the answer: it corrects the residual of the
    true matrix,

    .. math:: u \leftarrow u - (\hat A - \lambda I)^{-1} (A u - \lambda u),
        \qquad \lambda = u^H A u,

    so that eigenvectors of A are fixed points whatever the sketch, which only sets the rate. For
    singular triplets :math:`A^H A` takes the place of A and is never formed.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        In float32, float64, complex64 or complex128; integers count as float64. For singular
        triplets a LinearOperator needs ``rmatvec``.
    k : int, default 1
        How many pairs or triplets, in ``1..min(m, n)``.
    hermitian : bool, optional
        Whether eigenpairs of a Hermitian A are wanted, or singular triplets. By default a matrix
        that equals its adjoint, to 100 eps, gives eigenpairs; a square operator cannot be asked and
        needs it.
    which : {"LA", "SA", "LM"}, default "LA"
        Which eigenpairs: the largest, the smallest or those of largest modulus. Singular values
        are the largest ("LA" or "LM"). The smallest eigenvalues converge only if the surrogate
        knows them.
    method : {"auto", "single", "lazy"}, default "auto"
        "single" is EPSI for one vector, the default for ``k=1``. "lazy" is Lazy-EPSI: in each sweep
        the vectors are corrected in turn, each in the complement of those before it, and a
        Rayleigh-Ritz step on the k of them follows; the surrogate stays the same.
    c : float, default 0
        For "single", the weight of the term :math:`\tfrac c4 (u^H u - 1)^2` in the Lagrangian whose
        Newton step EPSI is, 0 or more. 0 is EPSI as published, 1/8 its authors' variant, and
        infinity the correction of Jacobi and Davidson, which is much the most robust.
    sketch : str, optional
        How the surrogate is made. "nystrom" takes the Nystrom approximation of a positive
        semidefinite A, or of :math:`A^H A`; it is the default for singular triplets. The families
        of `rnla.sketch`, "gaussian", "srht", "sparse_sign", "rademacher" and "count_sketch", stand
        for :math:`(S A)^H (S A)` with a random S for singular triplets, and for eigenpairs, where
        "gaussian" is the default, for :math:`Q (Q^H A Q) Q^H` with Q from ``A S^T``.
        "biased_sparse_sign" is the first of the two, damped by ``1 - n / sketch_size``.
    sketch_size : int, optional
        Rank of the surrogate; for :math:`(S A)^H (S A)` the rows of S. Default ``max(100, 20 k)``,
        at most n; for :math:`(S A)^H (S A)` it is ``6 n``, with "srht" not more than m, rounded up
        to a power of two.
    shrink : float, optional
        Factor in (0, 1] on the surrogate's eigenvalues, which keeps the shifts above them. Default:
        with r the rank of the surrogate ``1 - 2 k / (r - k)``, as Lazy-EPSI's authors have it, and
        ``1 - n / d - 2 sqrt(2 / d)``, d the `sketch_size`, for :math:`(S A)^H (S A)`, but never
        below 1/2. It is 1 for "biased_sparse_sign", and for "single" with "nystrom", which is low
        already.
    surrogate : Surrogate or array_like, shape (n, n), optional
        Use this instead of a sketch: for singular triplets it stands for :math:`A^H A`.
        ``result.surrogate`` of a related matrix, or a Hermitian matrix.
    v0 : array_like, shape (n,) or (n, p), optional
        Start. Default: the leading eigenvectors of the surrogate.
    rtol : float, optional
        Stop when the certificate is at most `rtol`: the largest residual norm, or the largest
        distance by which a value fell behind that of an earlier sweep, relative to the largest norm
        of a product of A with a unit vector that was seen. Default ``eps**0.75``: 1.8e-12 in double
        precision.
    maxiter : int, optional
        Sweeps allowed, 0 or more. Default 200.
    predict_rate : bool, default False
        Also compute ``result.rate``, for up to ``80 k`` more products.
    callback : callable, optional
        ``callback(state)`` at the start and after every sweep, with ``state.n_iter``,
        ``state.error``, ``state.values``, ``state.residual_norm`` and ``state.x``; raise
        ``StopIteration`` to stop.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of all randomness, as in ``numpy.random.default_rng``.
    check_finite : bool, default True
        Refuse NaN and infinity in an explicit matrix and in `v0`.

    Returns
    -------
    EigenResult
        With ``values``, ``vectors``, ``left_vectors``, ``residual_norms``, ``history``,
        ``value_history``, ``rate``, ``surrogate`` (None where the squares of singular values
        leave the range) and more. Values are in the order of `which`,
        best first. If the tolerance was not met, the sweep with the smallest certificate.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or an operator returns complex numbers for real ones.
    ValueError
        If a shape or an option is out of range, or A or `v0` holds NaN or infinity.
    numpy.linalg.LinAlgError
        If an operator returns NaN or infinity on the way.

    Warns
    -----
    ConvergenceWarning
        If the certificate is above the tolerance.

    See Also
    --------
    rnla.nystrom : Surrogates.
    rnla.rsvd : Singular triplets to low accuracy.
    scipy.sparse.linalg.eigsh : Lanczos, which needs fewer products from a cold start.

    Notes
    -----
    This is the published algorithm [1]_, faithfully, with its limits. To first order the error of
    one vector is multiplied by :math:`(\hat A - \lambda)^{-1} (\hat A - A)`, taken in the
    complement of the vectors: its spectral radius is ``result.rate``, and ``predict_rate`` computes
    it. It says what decides:

    - a surrogate that is too low, :math:`\hat A \preceq A`, as "nystrom" gives, converges. If
      :math:`\hat A - A` has both signs, EPSI with ``c = 0`` may diverge or stand still beside the
      answer, where ``c = inf`` converges in a few steps;
    - small gaps behind the k-th value make the last vectors slow; ask for a few more than needed;
    - EPSI keeps k vectors and forgets the rest. A Krylov space of the same products, those of the
      sketch included, is at least as good, so from a cold start Lanczos needs fewer products. EPSI
      pays where a surrogate is free: left from a related matrix, or made from few entries.

    A small residual says that a pair is a pair of A, not that it is the largest. Since Ritz values
    never exceed eigenvalues, an iteration that wanders off to a smaller one is found out, and ends
    as diverged; a vector that the start does not see at all is missed, as in every method. For
    singular triplets ``A X`` is decomposed, not :math:`X^H A^H A X`, so that small values keep
    their relative accuracy.

    A sweep costs k products with A (and k with its adjoint), ``4 n r k + 2 n k^2`` flops for a
    surrogate of rank r, which costs r products and ``O(n r^2)`` flops, once, and n r numbers of
    memory.

    References
    ----------
    .. [1] R. Xu, Y. Lu, "What is a sketch-and-precondition derivation for low-rank approximation?
       Inverse power error or inverse power estimation?", arXiv:2502.07993.
    .. [2] G. L. G. Sleijpen, H. A. van der Vorst, "A Jacobi-Davidson iteration method for linear
       eigenvalue problems", SIAM J. Matrix Anal. Appl. 17 (1996), 401-425.

    Examples
    --------
    >>> import numpy as np
    >>> import rnla
    >>> A = np.vander(np.linspace(0, 1, 2000), 50)
    >>> result = rnla.epsi(A, 3, rng=0)
    >>> result.success, np.allclose(result.values, np.linalg.svd(A)[1][:3], rtol=1e-13)
    (True, True)
    """
    block = as_block_operator(A, check_finite=check_finite)
    k = check_int(k, "k", 1, min(block.shape))
    limit = _MAXITER if maxiter is None else check_int(maxiter, "maxiter", 0)
    single = _is_single(method, c, k)
    if callback is not None and not callable(callback):
        raise TypeError(f"`callback` must be callable, got {callback!r}")
    dtype = np.finfo(block.dtype)
    tolerance = (
        float(dtype.eps) ** _TOLERANCE_POWER
        if rtol is None
        else check_positive_float(rtol, "rtol", below=1.0)
    )
    start = None if v0 is None else _checked_start(v0, block, check_finite)
    generator = as_generator(rng)
    problem = _problem(block, hermitian, which, generator)
    if surrogate is None:
        made = _made_surrogate(problem, sketch, sketch_size, shrink, k, single, generator)
    elif sketch is not None or sketch_size is not None:
        raise ValueError("`sketch` and `sketch_size` must be left out where `surrogate` is given")
    else:
        made = _shrunk(adopt_surrogate(problem, surrogate), 1.0 if shrink is None else shrink)
    X = _start(problem, made, start, k, generator)
    step: Callable[[Pairs], NDArray[Any]] = (
        partial(single_step, made, c) if single else partial(lazy_step, made, generator)
    )

    recorded: list[tuple[NDArray[Any], Any]] = []

    def record(state: State) -> None:
        assert isinstance(state, EpsiState)
        recorded.append((state.values, state.residual_norm))
        if callback is not None:
            callback(state)

    outcome = run(iterate(problem, X, step), tolerance=tolerance, maxiter=limit, callback=record)
    state = outcome.state
    assert isinstance(state, EpsiState)
    pairs: Pairs = state.pairs
    status = _honest(outcome)
    rate = np.nan
    if predict_rate:
        rate = predicted_rate(problem, made, pairs, c if single else None, generator)
    if not state.error <= tolerance:
        warnings.warn(
            f"relative residual {state.error:.1e} is above rtol={tolerance:.1e}: {status.value}",
            ConvergenceWarning,
            stacklevel=2,
        )
    return EigenResult(
        values=pairs.values,
        vectors=pairs.X,
        left_vectors=pairs.left,
        residual_norms=np.asarray(state.residual_norm),
        status=status,
        method="epsi" if single else "lazy_epsi",
        n_iter=outcome.n_iter,
        n_matvec=block.n_matvec,
        n_passes=block.n_passes,
        history=outcome.history,
        residual_history=np.array([norms for _, norms in recorded]),
        value_history=np.array([values for values, _ in recorded]),
        rate=rate,
        surrogate=in_units_of_the_caller(problem, made),
    )


def _is_single(method: Any, c: Any, k: int) -> bool:
    check_word(method, "method", _METHODS)
    single = method == "single" or (method == "auto" and k == 1)
    if single and k != 1:
        raise ValueError(f'`k` must be 1 for method="single", got {k}')
    if isinstance(c, (str, bytes)) or not np.isscalar(c) or not c >= 0:  # type: ignore[operator]
        raise ValueError(f"`c` must be a number of at least 0 or infinity, got {c!r}")
    if not single and c != 0:
        raise ValueError(f'`c` must be left out for method="lazy", got {c!r}')
    return single


def _checked_start(v0: Any, A: BlockOperator, check_finite: bool) -> NDArray[Any]:
    V = as_inexact(v0, "v0")
    V = V[:, None] if V.ndim == 1 else V
    if V.ndim != 2 or V.shape[0] != A.shape[1]:
        raise ValueError(
            f"`v0` must have shape ({A.shape[1]},) or ({A.shape[1]}, p), got {V.shape}"
        )
    if V.dtype.kind == "c" and A.dtype.kind != "c":
        raise ValueError("`v0` must be real where `A` is real")
    if check_finite:
        check_finite_array(V, "v0")
    return V.astype(A.dtype)


def _problem(
    A: BlockOperator, hermitian: bool | None, which: Any, rng: np.random.Generator
) -> Problem:
    check_word(which, "which", _WHICH)
    if hermitian is not None and not isinstance(hermitian, (bool, np.bool_)):
        raise TypeError(f"`hermitian` must be True, False or None, got {hermitian!r}")
    if hermitian is None:
        hermitian = _looks_hermitian(A)
    if hermitian:
        if A.shape[0] != A.shape[1]:
            raise ValueError(f"`A` must be square for eigenpairs, got shape {A.shape}")
        return HermitianProblem(A, which, rng)
    if which == "SA":
        raise ValueError('`which` must be "LA" or "LM" for singular triplets, got "SA"')
    return SingularProblem(A, rng)


def _looks_hermitian(A: BlockOperator) -> bool:
    if A.shape[0] != A.shape[1]:
        return False
    if isinstance(A, (DenseBlock, SparseBlock)):
        matrix = A.A if isinstance(A, DenseBlock) else A.rows
        asymmetry, peak = abs(matrix - matrix.conj().T).max(), abs(matrix).max()
        return bool(asymmetry <= _ASYMMETRY * np.finfo(A.dtype).eps * peak)
    raise ValueError(
        "`hermitian` must be True or False for a square operator: eigenpairs or singular triplets"
    )


def _made_surrogate(
    problem: Problem,
    sketch: str | None,
    sketch_size: int | None,
    shrink: float | None,
    k: int,
    single: bool,
    rng: np.random.Generator,
) -> Surrogate:
    if sketch is None:
        sketch = "nystrom" if isinstance(problem, SingularProblem) else "gaussian"
    check_word(sketch, "sketch", FAMILIES)
    made = make_surrogate(problem, sketch, sketch_size, k, rng)
    if shrink is None:
        shrink = default_shrink(problem, sketch, made, k, single=single)
    return _shrunk(made, shrink)


def _shrunk(surrogate: Surrogate, shrink: Any) -> Surrogate:
    factor = check_positive_float(shrink, "shrink")
    if not 0 < factor <= 1:
        raise ValueError(f"`shrink` must lie in (0, 1], got {shrink!r}")
    return replace(surrogate, values=surrogate.values * np.asarray(factor, surrogate.values.dtype))


def _start(
    problem: Problem,
    surrogate: Surrogate,
    given: NDArray[Any] | None,
    k: int,
    rng: np.random.Generator,
) -> NDArray[Any]:
    if given is None:
        given = surrogate.basis[:, problem.order(surrogate.values)[:k]]
    return problem.start_from(given, k, rng)


def _honest(outcome: Outcome) -> Status:
    """Tell divergence from stagnation: the driver only knows that it ended."""
    history, status = outcome.history, outcome.status
    if status not in (Status.STAGNATED, Status.MAX_ITERATIONS):
        return status
    since_best = history[int(np.argmin(history)) + 1 :]
    if len(since_best) < _RISEN_FOR:
        return status
    risen = float(np.median(since_best[-_RISEN_FOR:])) > _RISE * np.min(history)
    return Status.DIVERGED if risen else status
