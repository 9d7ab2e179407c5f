"""The surrogate of a Hermitian matrix: low rank plus a multiple of the identity."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from rnla._core.checks import as_inexact
from rnla.linalg.orth import orthonormal_block

# Directions in which the small matrix of the projection is so many roundoffs weak are left out.
_CUTOFF = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    r"""The Hermitian matrix :math:`\hat A = U \Lambda U^H + \mu (I - U U^H)` and its inverses.

    It stands for a matrix A that it approximates cheaply. Its inverse with any shift costs two
    products with U, by the Sherman-Morrison-Woodbury formula:

    .. math:: (\hat A - \theta I)^{-1} = c I + U E U^H, \quad c = \frac{1}{\mu - \theta},
        \quad E = (\Lambda - \theta I)^{-1} - c I.

    Attributes
    ----------
    basis : ndarray, shape (n, r)
        U, with orthonormal columns.
    values : ndarray, shape (r,)
        The diagonal of Lambda, real, descending.
    tail : float
        The number mu that stands for the spectrum outside the span of U.
    n_matvec : int
        Products with A that made it, one per column.
    n_passes : int
        Blocks multiplied.

    See Also
    --------
    rnla.nystrom : Make one of a positive semidefinite matrix.

    Examples
    --------
    >>> import numpy as np
    >>> import rnla
    >>> A = np.diag(np.geomspace(1.0, 1e-6, 50))
    >>> surrogate = rnla.nystrom(A, 20, rng=0)
    >>> surrogate.rank
    20
    >>> bool(np.linalg.norm(surrogate.product(np.eye(50)) - A) < 0.1)
    True
    """

    basis: NDArray[Any] = field(repr=False)
    values: NDArray[Any] = field(repr=False)
    tail: float = 0.0
    n_matvec: int = 0
    n_passes: int = 0

    def __post_init__(self) -> None:
        n, r = self.basis.shape
        if self.values.shape != (r,) or r > n:
            raise ValueError(
                f"`basis` must have shape (n, r) and `values` shape (r,) with r <= n, got "
                f"{self.basis.shape} and {self.values.shape}"
            )

    @classmethod
    def of_matrix(cls, A: Any) -> Self:
        """Take the whole eigendecomposition of a Hermitian matrix as the surrogate.

        Parameters
        ----------
        A : array_like, shape (n, n)
            Only its Hermitian part counts.

        Returns
        -------
        Surrogate
            Of rank n.
        """
        A = as_inexact(A, "A")
        values, U = np.linalg.eigh((A + A.conj().T) / 2)
        return cls(basis=U[:, ::-1].copy(), values=values[::-1].copy())

    @property
    def n(self) -> int:
        """Order of the matrix."""
        return int(self.basis.shape[0])

    @property
    def rank(self) -> int:
        """Columns of U."""
        return int(self.basis.shape[1])

    @property
    def norm(self) -> float:
        """Largest modulus of an eigenvalue: the scale of the matrix."""
        tail = abs(self.tail) if self.rank < self.n else 0.0
        return float(np.abs(self.values).max(initial=tail))

    def product(self, X: NDArray[Any]) -> NDArray[Any]:
        """Multiply a block: ``A_hat X``.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            The block.

        Returns
        -------
        ndarray, shape (n, b)
            The product.
        """
        low = self.basis @ ((self.values - self.tail)[:, None] * (self.basis.conj().T @ X))
        return np.asarray(low + self.tail * X if self.tail else low)

    def solve(self, R: NDArray[Any], shifts: Any) -> NDArray[Any]:
        """Apply the shifted inverse, each column with its own shift.

        Parameters
        ----------
        R : ndarray, shape (n, b)
            The block.
        shifts : float or ndarray, shape (b,)
            Theta, real. One that meets an eigenvalue of the surrogate is taken to be
            ``sqrt(eps)`` times the norm away.

        Returns
        -------
        ndarray, shape (n, b)
            Column j is ``(A_hat - theta_j I)^-1 r_j``.
        """
        c, E = self.inverse_diagonals(np.broadcast_to(shifts, R.shape[1:]))
        return np.asarray(c * R + self.basis @ (E * (self.basis.conj().T @ R)))

    def inverse_diagonals(self, shifts: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the numbers of the shifted inverses ``c_j I + U diag(E_j) U^H``.

        Parameters
        ----------
        shifts : ndarray, shape (b,)
            Theta, real.

        Returns
        -------
        c : ndarray, shape (b,)
            Of the identity.
        E : ndarray, shape (r, b)
            Of the basis.
        """
        values = self.values.astype(np.float64)[:, None]
        theta = np.asarray(shifts, np.float64)
        # Moving an eigenvalue that far changes a projected solution by as little as the digits that
        # cancel in it, and the surrogate is an approximation anyway.
        scale = max(self.norm, float(np.abs(theta).max(initial=0.0)))
        nearest = float(np.sqrt(np.finfo(self.basis.dtype).eps)) * scale
        c = 1.0 / _apart(self.tail - theta, nearest)
        if self.rank == self.n:
            c = np.zeros_like(c)
        E = 1.0 / _apart(values - theta, nearest) - c
        real = self.basis.real.dtype
        return c.astype(real), E.astype(real)

    def correct(self, R: NDArray[Any], shifts: NDArray[Any], X: NDArray[Any]) -> NDArray[Any]:
        r"""Solve in the complement of a basis: the correction of Jacobi and Davidson.

        .. math:: P (\hat A - \theta_j I) P\, t_j = P r_j, \quad t_j = P t_j, \quad P = I - X X^H.

        Parameters
        ----------
        R : ndarray, shape (n, b)
            Residuals.
        shifts : ndarray, shape (b,)
            Theta: one for each residual.
        X : ndarray, shape (n, q)
            Orthonormal columns, in general all Ritz vectors. It is this projection that makes a
            shift near an eigenvalue of the surrogate harmless.

        Returns
        -------
        ndarray, shape (n, b)
            The t, orthogonal to X. The new iterate is ``x - t``.

        Notes
        -----
        With ``K_j = A_hat - theta_j I`` and ``G_j = X^H K_j^-1 X``,
        ``t_j = K_j^-1 (P r_j - X g_j)``, ``G_j g_j = X^H K_j^-1 P r_j``. Three matrix products with
        n rows, and ``b q (r q + q^2)`` flops for the small systems; directions in which G_j is
        singular to rounding are left out.
        """
        U = self.basis
        c, E = self.inverse_diagonals(shifts)
        R = R - X @ (X.conj().T @ R)
        both = U.conj().T @ np.hstack([R, X])
        W, H = both[:, : R.shape[1]], both[:, R.shape[1] :]
        g = self.multipliers(c, E, W, H)
        T = c * (R - X @ g) + U @ (E * (W - H @ g))
        return np.asarray(T - X @ (X.conj().T @ T))

    @staticmethod
    def multipliers(
        c: NDArray[Any], E: NDArray[Any], W: NDArray[Any], H: NDArray[Any]
    ) -> NDArray[Any]:
        """Return the g of `correct`, one column per shift, from coordinates in the basis.

        Parameters
        ----------
        c, E : ndarray, shapes (b,) and (r, b)
            From `inverse_diagonals`.
        W, H : ndarray, shapes (r, b) and (r, q)
            ``U^H R``, for R orthogonal to X, and ``U^H X``.

        Returns
        -------
        ndarray, shape (q, b)
            Solutions of the small systems.
        """
        q = H.shape[1]
        g = np.zeros((q, len(c)), np.result_type(W, H))
        cutoff = _CUTOFF * np.finfo(g.dtype).eps
        for j in range(len(c)):
            EH = E[:, j, None] * H
            G = H.conj().T @ EH + c[j] * np.eye(q)
            values, Z = np.linalg.eigh((G + G.conj().T) / 2)
            size = np.abs(values)
            keep = size > cutoff * size.max(initial=0.0)
            Z = Z[:, keep]
            g[:, j] = Z @ ((Z.conj().T @ (EH.conj().T @ W[:, j])) / values[keep])
        return g

    def updated(self, X: NDArray[Any], weights: Any = 1.0, *, rank: int | None = None) -> Surrogate:
        r"""Add low-rank terms: :math:`\hat A + X\,\mathrm{diag}(w)\,X^H`.

        Parameters
        ----------
        X : ndarray, shape (n,) or (n, p)
            The directions.
        weights : float or ndarray, shape (p,), default 1
            The w, real: positive for an update, negative for a downdate.
        rank : int, optional
            Columns to keep: those whose eigenvalues are farthest from the tail; the others join
            it. By default all, up to p more than before.

        Returns
        -------
        Surrogate
            A new one.

        Notes
        -----
        Cost: ``4 n r p + 2 n (r + p)^2`` flops.
        """
        X = X[:, None] if X.ndim == 1 else X
        w = np.broadcast_to(np.asarray(weights, X.real.dtype), X.shape[1:])
        U = np.hstack([self.basis, orthonormal_block(X, self.basis)])
        coordinates = U.conj().T @ X
        diagonal = np.full(U.shape[1], self.tail, np.float64)
        diagonal[: self.rank] = self.values
        core = (coordinates * w) @ coordinates.conj().T
        values, Z = np.linalg.eigh(core + np.diag(diagonal).astype(core.dtype))
        if rank is not None and rank < len(values):
            kept = np.argsort(-np.abs(values - self.tail), kind="stable")[:rank]
            values, Z = values[kept], Z[:, kept]
        order = np.argsort(-values, kind="stable")
        return replace(self, basis=U @ Z[:, order], values=values[order].astype(self.values.dtype))

    def inverse(self, shift: float = 0.0) -> LinearOperator:
        """Return the shifted inverse as an operator, for other solvers.

        Parameters
        ----------
        shift : float, default 0
            Theta.

        Returns
        -------
        LinearOperator
            ``(A_hat - theta I)^-1``, which is Hermitian.
        """

        def apply(X: NDArray[Any]) -> NDArray[Any]:
            block = X if X.ndim == 2 else X[:, None]
            return self.solve(block, shift).reshape(X.shape)

        build: Any = LinearOperator
        operator: LinearOperator = build(
            (self.n, self.n),
            matvec=apply,
            rmatvec=apply,
            matmat=apply,
            rmatmat=apply,
            dtype=self.basis.dtype,
        )
        return operator


def _apart(difference: NDArray[np.float64], nearest: float) -> NDArray[np.float64]:
    """Move differences to at least `nearest` from zero; where both vanish, to the smallest."""
    nearest = max(nearest, np.finfo(np.float64).tiny)
    return np.where(np.abs(difference) < nearest, np.copysign(nearest, difference), difference)
