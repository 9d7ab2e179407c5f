"""`svds`: singular triplets in SciPy's words."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence

from rnla._core.rng import RNGLike
from rnla._core.status import ConvergenceWarning
from rnla.eigen._result import EigenResult
from rnla.eigen._svds_check import Request, check_request
from rnla.eigen._svds_solve import singular_triplets


def svds(
    A: Any,
    k: int = 6,
    ncv: int | None = None,
    tol: float = 0,
    which: str = "LM",
    v0: Any = None,
    maxiter: int | None = None,
    return_singular_vectors: bool | str = True,
    solver: str = "auto",
    rng: RNGLike = None,
    options: dict[str, Any] | None = None,
) -> Any:
    r"""Compute a few singular triplets, in SciPy's words and to roundoff of the norm.

    .. math:: A v_i = \sigma_i u_i, \qquad A^H u_i = \sigma_i v_i, \qquad i = 1, \dots, k,

    for the k largest or smallest singular values of A. A drop-in for `scipy.sparse.linalg.svds`:
    same arguments, same tuple, same errors. The engines are others: they take no triplet from
    ``A^H A``, start from a random block, and search the complement of what they found, so that no
    copy of a multiple singular value is missed.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        In float32, float64, complex64 or complex128, which is the working precision; integers count
        as float64. A LinearOperator is multiplied by blocks if it has `matmat` and `rmatmat`.
    k : int, default 6
        Triplets wanted, ``0 < k < min(m, n)``; ``min(m, n)`` too for ``solver="propack"`` and for
        the names of our own.
    ncv : int, optional
        Columns of the Krylov basis, ``k < ncv < min(m, n)``. Default: the larger of ``k + 40`` and
        2 k and four or five blocks. A smaller basis takes less memory and more products. Where it
        is given the largest triplets are computed by iteration, whatever the size of A. The final
        search may need k and ten blocks, whatever `ncv` is. Sketches and LAPACK have no such
        basis.
    tol : float, default 0
        As in SciPy, residual norms are to be at most ``tol**2 sigma``; 0 means roundoff of the
        norm of A. Values above 1e-3 count as 1e-3: looser residuals do not tell neighbouring
        singular values apart.
    which : {"LM", "SM"}
        The largest or the smallest singular values.
    v0 : array_like, shape (min(m, n),), optional
        Start vector, for ``solver="propack"`` of shape (m,). The other columns of the start block
        are then drawn from a seed that depends on `v0` alone: it wins over `rng`.
    maxiter : int, optional
        Restarts of the basis, or steps for sketches and sparse factors. Default ``10 min(m, n)``.
    return_singular_vectors : {True, False, "u", "vh"}
        Whether to return vectors, or the left or the right ones only.
    solver : str, default "auto"
        "krylov" is block Golub-Kahan for either end of the spectrum; "sketched" computes the
        smallest triplets of a matrix at least twice as tall as wide (or as wide as tall);
        "dense" is LAPACK. "auto" takes LAPACK for small matrices, for arrays with few columns and
        for many triplets; "krylov" for the largest; for the smallest "sketched", LAPACK, or a
        sparse factor of ``A^H A + shift I`` as preconditioner. SciPy's "arpack", "lobpcg" and
        "propack" do what "auto" does, but keep the conventions of that solver: the range of k, the
        side of `v0` and what happens without convergence.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the start block and of the sketch, as in ``numpy.random.default_rng``.
    options : dict, optional
        "block_size": columns multiplied at a time; default 2, and for 20 triplets and more 8 for
        arrays and 4 for sparse matrices. "sketch_size": rows of the sketch, ``min(m, n)`` to
        ``max(m, n)``; default ``4 min(m, n)``, beyond 1000 columns ``12 min(m, n)`` to
        ``48 min(m, n)``, or half the longer side. "verify": False leaves out
        the search for triplets that were missed, which costs eight to ten block products with A
        and with its adjoint.

    Returns
    -------
    u : ndarray, shape (m, k), or None
        Left singular vectors, orthonormal columns. None for ``"vh"``.
    s : ndarray, shape (k,)
        Singular values in ascending order.
    vh : ndarray, shape (k, n), or None
        Right singular vectors, orthonormal rows. None for ``"u"``. With
        ``return_singular_vectors=False`` only `s` is returned.

    Raises
    ------
    ValueError
        If an argument is out of range, A holds NaN or infinity, or its `rmatvec` is not the adjoint
        of its `matvec`.
    TypeError
        If an argument has the wrong type, or a LinearOperator has no `rmatvec`.
    scipy.sparse.linalg.ArpackNoConvergence
        If `maxiter` restarts were not enough; it carries the squares of the singular values that
        have converged and their vectors on the smaller side, as SciPy's does.
    numpy.linalg.LinAlgError
        The same for ``solver="propack"``.

    Warns
    -----
    ConvergenceWarning
        The same for ``solver="lobpcg"``; the best triplets are returned.

    See Also
    --------
    scipy.sparse.linalg.svds : By default from eigenpairs of ``A^H A``.
    numpy.linalg.svd : All triplets.

    Notes
    -----
    **Largest.** Orthonormal U and V grow by blocks and are kept orthogonal in full, with
    ``A V = U K``; triplets come from the singular value decomposition of the small matrix K, so
    that both residuals are tens of roundoffs of ``||A||``, as LAPACK's are, for small singular
    values, too [1]_. When k triplets have converged, a random block starts eight steps in their
    complement, up to forty where finding took many: if a wanted singular value moves, the iteration
    goes on [2]_. A step with b columns costs one product with A and one with its adjoint and about
    ``4 (m + n) d b`` flops for d columns of the basis. Memory: ``(m + n) ncv`` numbers, twice that
    at a restart.

    Triplets of a sparse A have a start: Lanczos on ``A^H A`` (or ``A A^H``, the smaller one), with
    its own search of the complement and a basis on one side only. For at most twenty it begins
    with a single vector; for more, and where that is not enough, with a Chebyshev polynomial.
    Triplets are then formed from the product of A with what was found and judged by both
    residuals; where squares have cost digits, or cannot tell copies apart, block Golub-Kahan goes
    on from there. `ncv`, `maxiter`, a "block_size" and ``solver="krylov"`` do without. Meanwhile
    BLAS has one thread, for its idle threads would be in the way.

    **Smallest.** For a tall A with sketch ``S A = Q R`` the corrections of LOBPCG are residuals
    times :math:`R^{-1} R^{-H}`, and triplets come from the product of A with the search basis [3]_.
    Up to 1000 columns (of an operator, as long as its product with all of them fits) one more
    product, :math:`A R^{-1}`, makes R the factor of A itself: four to ten products with A and with
    its adjoint in all, for any condition number and any spectrum. For more columns 20 to 30, and
    more where singular values are close. They are right to roundoff of ``||A||``, not of
    themselves.
    ``u = A v / sigma`` would inherit the rounding of ``A v``, so u is corrected until
    ``||A^H u - sigma v||`` is about ``1e-12 ||A||``; without left vectors that is left out. Where
    A is rank deficient ``A v`` may be rounding alone: then u is a random vector without its part in
    the range of A.

    It gains nothing where few triplets of a quickly decaying spectrum are wanted and the
    product with one vector is cheap: there ARPACK needs fewer products.

    References
    ----------
    .. [1] J. Baglama, L. Reichel, "Augmented implicitly restarted Lanczos bidiagonalization
       methods", SIAM J. Sci. Comput. 27 (2005), 19-42.
    .. [2] J. R. McCombs, A. Stathopoulos, "Iterative validation of eigensolvers: a scheme for
       improving the reliability of Hermitian eigenvalue solvers", SIAM J. Sci. Comput. 28
       (2006), 2337-2358.
    .. [3] E. N. Epperly, T. Park, Y. Nakatsukasa, "Fast, high-accuracy, randomized nullspace
       computations for tall matrices", arXiv:2602.16797.

    Examples
    --------
    >>> import numpy as np
    >>> import rnla
    >>> from rnla.testing import haar
    >>> sigma = np.r_[1.0, 1.0, 1.0, np.linspace(0, 0.9, 197)]
    >>> A = (haar(300, 200, rng=0) * sigma) @ haar(200, 200, rng=1).T
    >>> U, s, VH = rnla.svds(A, k=4, rng=2)
    >>> np.round(s, 12)
    array([0.9, 1. , 1. , 1. ])
    """
    request = check_request(
        A, k, ncv, tol, which, v0, maxiter, return_singular_vectors, solver, rng, options
    )
    result = singular_triplets(request)
    if not result.success:
        _report(request, result)
    order = np.argsort(result.values, kind="stable")
    sigma: NDArray[Any] = result.values[order]
    if not return_singular_vectors:
        return sigma
    assert result.left_vectors is not None
    U = None if return_singular_vectors == "vh" else result.left_vectors[:, order]
    VH = None if return_singular_vectors == "u" else result.vectors[:, order].conj().T
    return U, sigma, VH


def _report(request: Request, result: EigenResult) -> None:
    """Raise or warn as SciPy's solver of that name does."""
    eps = float(np.finfo(request.A.dtype).eps)
    limit = np.maximum(request.residual * result.values, 100 * eps * result.values.max())
    good = result.residual_norms <= limit
    n_good, k, n_iter = int(np.count_nonzero(good)), request.k, result.n_iter
    if request.solver == "lobpcg":
        warnings.warn(
            f"Exited at iteration {n_iter} with {n_good} of {k} singular triplets converged: "
            f"{result.status.value}",
            ConvergenceWarning,
            stacklevel=3,
        )
        return
    if request.solver == "propack":
        raise np.linalg.LinAlgError(
            f"k={k} singular triplets did not converge within {n_iter} iterations: "
            f"{result.status.value}"
        )
    wide = request.A.shape[0] < request.A.shape[1]
    vectors = result.left_vectors if wide else result.vectors
    assert vectors is not None
    raise ArpackNoConvergence(
        f"No convergence ({n_iter} iterations, {n_good}/{k} singular triplets converged): "
        f"{result.status.value}",
        result.values[good] ** 2,
        vectors[:, good],
    )
