"""The exception for eigenvalues that did not converge."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence

from rnla.eigen._result import EigenResult


class EigenNoConvergence(ArpackNoConvergence):
    """Some of the wanted eigenpairs did not converge; it carries those that did.

    It is a `scipy.sparse.linalg.ArpackNoConvergence`, so code that catches SciPy's catches this.

    Parameters
    ----------
    message : str
        What happened.
    eigenvalues : ndarray, shape (p,)
        The eigenvalues that converged.
    eigenvectors : ndarray, shape (n, p)
        Their vectors.
    result : EigenResult
        All of them, converged or not, with residual norms.

    Attributes
    ----------
    result : EigenResult
        All of them, converged or not, with residual norms.

    Examples
    --------
    >>> import numpy as np
    >>> import rnla
    >>> A = np.diag(np.linspace(0, 1, 500))
    >>> try:
    ...     rnla.eigsh(A, 3, ncv=8, maxiter=2, rng=0)
    ... except rnla.eigen.EigenNoConvergence as error:
    ...     print(error)
    ARPACK error -1: No convergence (2 iterations, 0/3 eigenvectors converged)
    """

    def __init__(
        self,
        message: str,
        eigenvalues: NDArray[Any],
        eigenvectors: NDArray[Any],
        result: EigenResult,
    ) -> None:
        super().__init__(message, eigenvalues, eigenvectors)
        self.result = result
