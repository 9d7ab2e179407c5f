"""`eigsh`, SciPy's contract, and `solve`, the same engine with everything it knows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from rnla._core.checks import check_int
from rnla._core.driver import Callback
from rnla._core.rng import RNGLike, as_generator
from rnla._core.status import ConvergenceWarning, Status
from rnla.eigen._dense import all_pairs
from rnla.eigen._engine import Solved, solve_request
from rnla.eigen._errors import EigenNoConvergence
from rnla.eigen._planning import Options
from rnla.eigen._result import EigenResult
from rnla.eigen._select import returned_order
from rnla.eigen._validate import as_matrix, check_k, check_method, check_request, check_square

# A residual that does not fall any more is reported from this multiple of the tolerance on.
_FAR = 1e3
_MOVED = (
    "`sigma` meets an eigenvalue and was moved: eigenvalues between the two may be missing; "
    "choose another `sigma`, or which='LM', which looks on both sides"
)


def eigsh(
    A: Any,
    k: int = 6,
    M: Any = None,
    sigma: float | None = None,
    which: str = "LM",
    v0: Any = None,
    ncv: int | None = None,
    maxiter: int | None = None,
    tol: float = 0,
    return_eigenvectors: bool = True,
    Minv: Any = None,
    OPinv: Any = None,
    mode: str = "normal",
    rng: RNGLike = None,
    *,
    method: str = "auto",
    surrogate: Any = None,
    sketch_size: int | None = None,
    block_size: int | None = None,
    verify: bool = True,
    callback: Callback | None = None,
) -> Any:
    r"""Find k eigenvalues, and eigenvectors, of a real symmetric or complex Hermitian matrix.

    It takes the place of `scipy.sparse.linalg.eigsh`: the same arguments, the same order, the same
    exceptions. It solves

    .. math:: A x = w x \quad\text{or}\quad A x = w M x

    and, unlike ARPACK, it looks for what it may have missed: members of multiple and clustered
    eigenvalues, which a Krylov space from a single vector cannot see.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (n, n)
        Real symmetric or complex Hermitian, in float32, float64, complex64 or complex128; integers
        and half precision count as float64. A LinearOperator with a ``matmat`` of its own is
        given blocks.
    k : int, default 6
        Number of eigenvalues, at least 1. From n on, all of them are returned by
        `scipy.linalg.eigh`, with a RuntimeWarning, if A is an array.
    M : array_like, sparse matrix or LinearOperator, shape (n, n), optional
        Hermitian: positive definite without `sigma`; semidefinite of rank k at least with it;
        anything in buckling mode.
    sigma : float, optional
        Shift: `which` then refers to ``w' = 1 / (w - sigma)``, or what `mode` says. The inverse of
        ``A - sigma M`` is factored, or applied by an inner iteration for a LinearOperator of more
        than 2000 rows. A shift that meets an eigenvalue is moved by ``eps**0.4 ||A||``. What is
        nearest to it is returned nevertheless; for other `which` or `mode` and more than 3000 rows
        eigenvalues between the two shifts may be missing, with a warning.
    which : {"LM", "SM", "LA", "SA", "BE"}, default "LM"
        Largest or smallest in magnitude, largest or smallest, or half from each end (one more from
        the high end for odd k). "SM" is solved with an inverse.
    v0 : array_like, shape (n,) or (n, p), optional
        First directions. By default random ones; they also complete a block.
    ncv : int, optional
        Most basis vectors, ``k < ncv <= n``; if given, no dense solver takes over. Default
        ``max(2 k + 4 + 4 b, k + 96)`` for blocks of b; down to ``k + 32`` where n is large
        or A sparse.
    maxiter : int, optional
        How often the basis may be filled; if given, no dense solver takes over. Default ``10 n``.
    tol : float, default 0
        Residuals of the problem that is iterated on, whose eigenvalues are w', are at most
        ``tol max(|w'|, eps**(2/3) norm)``, or a few eps times the norm, of which the largest
        ``|w'|`` seen is the measure; 0 means eps. With `sigma`, w' is what `mode` says; for
        which="SM" without it, ``w' = 1 / w``, so that residuals of A are about ``tol`` times the
        norm at worst, and errors of w about ``tol |w|``.
    return_eigenvectors : bool, default True
        Return vectors, too.
    Minv : array_like, sparse matrix or LinearOperator, shape (n, n), optional
        Applies the inverse of M, which is factored otherwise.
    OPinv : array_like, sparse matrix or LinearOperator, shape (n, n), optional
        Applies ``(A - sigma M)^-1``.
    mode : {"normal", "buckling", "cayley"}, default "normal"
        With `sigma` and real A: ``w' = 1 / (w - sigma)``, ``w / (w - sigma)`` for positive
        definite A and indefinite M, or ``(w + sigma) / (w - sigma)``; the last two with nonzero
        `sigma`.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        For everything random; the same seed gives the same bits.
    method : {"auto", "dense", "lanczos"}, default "auto"
        "dense" is LAPACK, "lanczos" the block Lanczos iteration; "auto" takes the faster.
    surrogate : Surrogate, EigenResult, array_like, sparse matrix or LinearOperator, optional
        An approximation of A, left over from a related matrix (``rnla.eigen.solve(...)``, or its
        ``surrogate``) or made by `rnla.nystrom`; or, as a matrix or operator, an approximate
        inverse of ``A - w I`` near the eigenvalues wanted, such as a preconditioner. Residuals
        are then corrected with it; one that does not help is dropped on the way. For
        ``A x = w x`` without `sigma`.
    sketch_size : int, optional
        Rank of a surrogate to make by a sketch of A, at the price of twice as many products. It
        seldom pays: the search space would have used them as well.
    block_size : int, optional
        Columns multiplied at a time. Default 4; 2 for a LinearOperator that multiplies vectors
        only, and for sparse A with k at most 8; 4 to 16 for large dense A; all k, up to 16, with
        a surrogate.
    verify : bool, default True
        Search the complement of what was found from a random block, for three to ten block
        steps as a rule. It can miss values of a cluster of more members than a block has columns
        that differ by less than about 1e-6, relatively.
    callback : callable, optional
        ``callback(state)`` at each look at the Ritz values, with ``state.n_iter``,
        ``state.error``, ``state.theta`` (values of the transformed problem; None for the start),
        ``state.x``; raise ``StopIteration`` to stop.

    Returns
    -------
    w : ndarray, shape (k,)
        Eigenvalues: ascending if vectors are returned or `sigma` is given, else in SciPy's order,
        which puts the most wanted one last.
    v : ndarray, shape (n, k)
        Eigenvectors as columns, orthonormal (``v^H M v = I`` with M, ``v^H A v = I`` in buckling
        mode). Only with `return_eigenvectors`.

    Raises
    ------
    EigenNoConvergence
        Where `maxiter` was too small, or the callback stopped; it is SciPy's
        ``ArpackNoConvergence`` and carries the pairs that converged.
    ValueError
        If shapes do not fit, arguments exclude each other, one is out of range, A holds, or
        returns, NaN or infinity, or M, or A in buckling mode, is found not to be definite.
    TypeError
        If an argument has the wrong type.

    Warns
    -----
    ConvergenceWarning
        If residuals stopped falling far above the tolerance, as they do for an operator that is
        inexact or not Hermitian; or if `sigma` was moved and eigenvalues beside it may be missing.

    See Also
    --------
    rnla.eigen.solve : The same engine, with residual norms and history.
    scipy.sparse.linalg.eigsh : The function whose contract this is.

    Notes
    -----
    Thick-restart Lanczos with blocks of b columns and full reorthogonalisation [1]_. A random block
    of b columns sees b copies of every eigenvalue. When the wanted pairs have converged, by the
    norm of residuals formed from products with A, a random block orthogonal to them starts a
    second search [2]_; if that brings a value that is more wanted, all goes on. So copies beyond b
    are found as well. The search ends when a bound on the chance that its block hides an
    eigenvector is below 1e-6, or, where a copy of the last wanted value outside keeps the bound
    up, after a share of the steps that finding took.

    A step costs b products, ``O(n m b)`` flops for m basis vectors; memory is ``2 n m`` numbers,
    ``3 n m`` with M, ``n m`` for sparse A.

    At an end of a sparse A up to 64 eigenvalues are first looked for with single vectors, without
    restarts; where those do not lie apart in time, or more are wanted, by Lanczos on a Chebyshev
    polynomial of A [3]_, whose basis stays small. Then their pairs are formed, judged and verified
    with A. `ncv`, `maxiter`, M, `sigma` or another `method` than "auto" keep to A. Meanwhile BLAS
    has one thread, in callbacks as well, for its idle threads would be in the way.

    It cannot find interior eigenvalues without a factorisation or `OPinv`. Where one eigenvalue is
    wanted of a cheap sparse A with a well-separated spectrum, ARPACK needs fewer products.

    References
    ----------
    .. [1] K. Wu, H. Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems",
       SIAM J. Matrix Anal. Appl. 22 (2000), 602-616.
    .. [2] J. R. McCombs, A. Stathopoulos, "Iterative validation of eigensolvers", SIAM J. Sci.
       Comput. 28 (2006), 2337-2358.
    .. [3] H. Fang, Y. Saad, "A filtered Lanczos procedure for extreme and interior eigenvalue
       problems", SIAM J. Sci. Comput. 34 (2012), A2220-A2246.

    Examples
    --------
    Six eigenvalues 1, which a single vector sees as one:

    >>> import numpy as np
    >>> import rnla
    >>> from scipy.sparse import diags_array
    >>> A = diags_array(np.concatenate([np.ones(6), np.linspace(0, 0.9, 994)]))
    >>> w, v = rnla.eigsh(A, 6, tol=1e-8, rng=0)
    >>> bool(np.allclose(w, 1)), v.shape
    (True, (1000, 6))
    """
    generator = as_generator(rng)
    A, M = as_matrix(A, "A"), None if M is None else as_matrix(M, "M")
    check_square(A, M)
    k = check_k(k)
    if k >= A.shape[0]:
        return all_pairs(A, M, bool(return_eigenvectors), 3)
    request = check_request(
        A, k, M=M, sigma=sigma, which=which, v0=v0, ncv=ncv, maxiter=maxiter, tol=tol,
        Minv=Minv, OPinv=OPinv, mode=mode,
    )  # fmt: skip
    options = _options(
        A.shape[0], generator, method, surrogate, sketch_size, block_size, verify, callback
    )
    solved = solve_request(request, options)
    result = solved.result
    if result.status in (Status.MAX_ITERATIONS, Status.STOPPED_BY_CALLBACK):
        raise _no_convergence(solved)
    if not result.success and result.history.size and result.history[-1] > _FAR * solved.tolerance:
        warnings.warn(result.message, ConvergenceWarning, stacklevel=2)
    elif solved.beside:
        warnings.warn(_MOVED, ConvergenceWarning, stacklevel=2)
    values, vectors = result.values, result.vectors
    order = returned_order(
        values, which, vectors=bool(return_eigenvectors), shifted=sigma is not None
    )
    if not return_eigenvectors:
        return values[order]
    return values[order], np.ascontiguousarray(vectors[:, order])


def solve(
    A: Any,
    k: int = 6,
    *,
    M: Any = None,
    sigma: float | None = None,
    which: str = "LM",
    v0: Any = None,
    ncv: int | None = None,
    maxiter: int | None = None,
    tol: float = 0,
    Minv: Any = None,
    OPinv: Any = None,
    mode: str = "normal",
    method: str = "auto",
    surrogate: Any = None,
    sketch_size: int | None = None,
    block_size: int | None = None,
    verify: bool = True,
    callback: Callback | None = None,
    rng: RNGLike = None,
) -> EigenResult:
    r"""Find k eigenpairs of a Hermitian matrix, with a certificate.

    The engine of `rnla.eigsh`, which has the parameters explained at length.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (n, n)
        Real symmetric or complex Hermitian.
    k : int, default 6
        Number of eigenpairs, below n.
    M, sigma, which, v0, ncv, maxiter, tol, Minv, OPinv, mode : optional
        As for `rnla.eigsh`.
    method, surrogate, sketch_size, block_size, verify, callback, rng : optional
        As for `rnla.eigsh`.

    Returns
    -------
    EigenResult
        With ``values`` (ascending), ``vectors``, ``residual_norms``, ``verified``, ``n_matvec``,
        ``surrogate`` (for ``A x = w x`` without `sigma`) and more. With `OPinv`, residual norms
        are those of OP, transformed to first order, and products counted are those of OP.

    Raises
    ------
    ValueError
        As for `rnla.eigsh`, and if k is not below n.
    TypeError
        As for `rnla.eigsh`.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not met; nothing is raised then. Or if `sigma` was moved and
        eigenvalues beside it may be missing; ``verified`` is False then.

    See Also
    --------
    rnla.eigsh : The same with SciPy's return values and exceptions.

    Examples
    --------
    >>> import numpy as np
    >>> import rnla
    >>> A = np.diag(np.concatenate([np.ones(6), np.linspace(0, 0.9, 494)]))
    >>> result = rnla.eigen.solve(A, 6, which="LA", tol=1e-8, rng=0)
    >>> result.success, result.verified, bool(result.residual_norms.max() < 1e-8)
    (True, True, True)
    """
    generator = as_generator(rng)
    A, M = as_matrix(A, "A"), None if M is None else as_matrix(M, "M")
    check_square(A, M)
    k = check_k(k)
    if k >= A.shape[0]:
        raise ValueError(f"`k` must be in 1..{A.shape[0] - 1}, got {k}")
    request = check_request(
        A, k, M=M, sigma=sigma, which=which, v0=v0, ncv=ncv, maxiter=maxiter, tol=tol,
        Minv=Minv, OPinv=OPinv, mode=mode,
    )  # fmt: skip
    options = _options(
        A.shape[0], generator, method, surrogate, sketch_size, block_size, verify, callback,
        keep_surrogate=True,
    )  # fmt: skip
    solved = solve_request(request, options)
    result = solved.result
    if not result.success:
        warnings.warn(result.message, ConvergenceWarning, stacklevel=2)
    elif solved.beside:
        warnings.warn(_MOVED, ConvergenceWarning, stacklevel=2)
    return result


def _options(
    n: int,
    rng: np.random.Generator,
    method: Any,
    surrogate: Any,
    sketch_size: Any,
    block_size: Any,
    verify: Any,
    callback: Any,
    *,
    keep_surrogate: bool = False,
) -> Options:
    if callback is not None and not callable(callback):
        raise TypeError(f"`callback` must be callable, got {callback!r}")
    if not isinstance(verify, bool | np.bool_):
        raise TypeError(f"`verify` must be True or False, got {verify!r}")
    return Options(
        method=check_method(method),
        block_size=None if block_size is None else check_int(block_size, "block_size", 1, n),
        verify=bool(verify),
        surrogate=surrogate,
        sketch_size=None if sketch_size is None else check_int(sketch_size, "sketch_size", 1, n),
        keep_surrogate=keep_surrogate,
        callback=callback,
        rng=rng,
    )


def _no_convergence(solved: Solved) -> EigenNoConvergence:
    result, done = solved.result, solved.converged
    return EigenNoConvergence(
        f"No convergence ({result.n_iter} iterations, {np.count_nonzero(done)}/{len(done)} "
        "eigenvectors converged)",
        result.values[done],
        result.vectors[:, done],
        result,
    )
