"""The spectral problem that Lanczos sees: an operator, its inner product, and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._invert import norm_estimate
from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock
from rnla.linalg.gram import GramBlock
from rnla.linalg.orth import InnerProduct, orthonormal_block

if TYPE_CHECKING:
    from rnla.eigen._ritz import Ritz

# Roundoffs of the largest entry, by which products with null vectors may be off.
_NULL = 100
# Ritz values beyond this power of the largest number have no squares.
_SQUARE_POWER = 0.45


def refuse_skew(T: NDArray[Any], length: float, name: str, dtype: Any) -> None:
    """Raise an exception if ``T = X^H A X`` says that A is not Hermitian.

    Parameters
    ----------
    T : ndarray, shape (b, b)
        For a block of random vectors; for real A a single one tells nothing.
    length : float
        What rounding errors of T are relative to.
    name : str
        Of the matrix.
    dtype : dtype
        Its precision.

    Raises
    ------
    ValueError
        If it is not, by more than a third of its digits: matrices in double precision may have
        been computed in single.
    """
    skew = float(np.linalg.norm(T - T.conj().T))
    if skew > np.cbrt(np.finfo(dtype).eps) * length:
        raise ValueError(
            f"`{name}` must be symmetric, or Hermitian if complex: "
            f"<x, {name} y> and <{name} x, y> differ by {skew:.1e} of {length:.1e}"
        )


class Problem(ABC):
    """``OP x = theta x`` for an operator that is Hermitian in the inner product of B.

    Parameters
    ----------
    main : BlockOperator, shape (n, n)
        The operator whose products count.
    sigma : float
        The shift.
    dtype : dtype
        Working precision.

    Attributes
    ----------
    inner : callable or None
        Maps a block to its product with B.
    dimension : int
        Most vectors of a basis: those of finite eigenvalues.
    purifies : bool
        Whether vectors have to be multiplied by an inverse and B to lie in the space of finite
        eigenvalues.
    is_original : bool
        Whether residuals of OP are those of the caller's problem.
    factors : list of csr_array or None
        Those of the operator, if it is a real sparse matrix, or the Gram matrix of one, and nothing
        else.
    """

    name = "lanczos"
    purifies = False
    is_original = False
    factors: list[Any] | None = None

    def __init__(self, main: BlockOperator, sigma: float, dtype: Any) -> None:
        self.main = main
        self.sigma = sigma
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.inner: InnerProduct | None = None
        self.dimension: int = main.shape[0]
        self._metric: BlockOperator | None = None

    @property
    def n(self) -> int:
        """Order of the matrices."""
        return self.main.shape[0]

    def product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        """Return ``OP V``.

        Parameters
        ----------
        V, BV : ndarray, shape (n, b)
            A block and its product with B.

        Returns
        -------
        ndarray, shape (n, b)
            In the working precision.
        """
        return self.products(V, BV)[0]

    def products(
        self, V: NDArray[Any], BV: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Return ``OP V`` and, where it was formed on the way, ``B OP V``.

        Parameters
        ----------
        V, BV : ndarray, shape (n, b)
            A block and its product with B.

        Returns
        -------
        W : ndarray, shape (n, b)
            In the working precision.
        BW : ndarray, shape (n, b), or None
            More accurate than the product of B with W.

        Raises
        ------
        ValueError
            If it holds NaN or infinity.
        """
        W, BW = self._products(V, BV)
        if not np.isfinite(W).all():
            raise ValueError("`A` returned NaN or infinity")
        return W.astype(self.dtype, copy=False), BW

    def _products(
        self, V: NDArray[Any], BV: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        return self._product(V, BV), None

    @abstractmethod
    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        """Return ``OP V`` in any precision."""

    def image(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``B X``.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            A block.

        Returns
        -------
        ndarray, shape (n, b)
            The block itself where B is the identity.
        """
        return X if self.inner is None else self.inner(X)

    @cached_property
    def inner_norm(self) -> float:
        """An estimate of the norm of B, 0 where it is the identity."""
        if self._metric is None:
            return 0.0
        size = norm_estimate(self._metric)
        if not np.isfinite(size):
            raise ValueError("`M` returned NaN or infinity")
        return size

    def orthonormal(
        self,
        X: NDArray[Any],
        V: NDArray[Any] | None,
        BV: NDArray[Any] | None,
        rng: np.random.Generator,
        *,
        floor: float = 0.0,
        projections: int = 0,
    ) -> NDArray[Any]:
        """Return X orthonormalised against a basis; what is rounding error becomes random.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            The block.
        V, BV : ndarray, shape (n, m), or None
            The basis and its product with B.
        rng : Generator
            For random directions.
        floor, projections : optional
            As for `orthonormal_block`.

        Returns
        -------
        ndarray, shape (n, r)
            ``r < b`` only where V and these columns span all vectors of finite eigenvalues.
        """
        room = self.dimension - (0 if V is None else V.shape[1])
        return orthonormal_block(
            X[:, :room],
            V,
            inner=self.inner,
            basis_image=BV,
            inner_norm=self.inner_norm,
            floor=floor,
            projections=projections,
            rng=rng,
        )

    def purified(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return a block whose columns lie in the space of finite eigenvalues.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            A block.

        Returns
        -------
        ndarray, shape (n, b)
            The block itself where all eigenvalues are finite.
        """
        return X

    def finished(self, ritz: Ritz, columns: slice) -> NDArray[Any]:
        """Return Ritz vectors without their part along infinite eigenvalues.

        Parameters
        ----------
        ritz : Ritz
            The pairs.
        columns : slice
            Which of them.

        Returns
        -------
        ndarray, shape (n, b)
            Orthonormal up to the square of their errors.
        """
        return ritz.vectors(columns)

    def rescaled(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return X orthonormalised with the least change: it is off by the square of `tol`.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            Nearly orthonormal.

        Returns
        -------
        ndarray, shape (n, b)
            X itself where its columns are dependent.
        """
        G = X.conj().T @ self.image(X)
        squares, U = np.linalg.eigh((G + G.conj().T) / 2)
        if not squares.min() > 0:
            return X
        return np.asarray(X @ ((U / np.sqrt(squares)) @ U.conj().T).astype(X.dtype, copy=False))

    def eigenvalues(self, theta: NDArray[Any]) -> NDArray[Any]:
        """Return the eigenvalues of the caller's problem.

        Parameters
        ----------
        theta : ndarray, shape (k,)
            Eigenvalues of OP.

        Returns
        -------
        ndarray, shape (k,)
            Real.
        """
        return theta + self.sigma

    def check_size(self, size: float) -> None:
        """Refuse eigenvalues of a size whose square leaves the range.

        Parameters
        ----------
        size : float
            The largest magnitude of a Ritz value.

        Raises
        ------
        ValueError
            If neither zero nor within the range.
        """
        limit = float(np.finfo(self.dtype).max) ** _SQUARE_POWER
        if not (size == 0 or 1 / limit < size < limit):
            raise ValueError(
                f"`A` has eigenvalues of size {size:.1e}, whose squares leave the range of "
                f"{self.dtype}: scale it"
            )

    def check_hermitian(self, T: NDArray[Any], length: float) -> None:
        """Refuse a matrix whose entries are at hand and do not make it Hermitian.

        Parameters
        ----------
        T : ndarray, shape (b, b)
            ``Q^H OP Q`` for random orthonormal Q.
        length : float
            Of the longest column of ``OP Q``.

        Raises
        ------
        ValueError
            If it is not, by much more than rounding errors.
        """
        if self.is_original and isinstance(self.main, DenseBlock | SparseBlock):
            # Products with null vectors are rounding errors, which have no symmetry.
            least = _NULL * np.finfo(self.dtype).eps ** (2 / 3) * self.main.largest
            refuse_skew(T, max(length, least), "A", self.dtype)

    def _measure_by(self, M: BlockOperator | None) -> None:
        """Make M the inner product."""
        self._metric, dtype = M, self.dtype
        self.inner = None if M is None else lambda X: M.product(X).astype(dtype, copy=False)


class Standard(Problem):
    """``OP = A - sigma I``.

    Parameters are those of `Problem`.
    """

    is_original = True

    def __init__(self, main: BlockOperator, sigma: float, dtype: Any) -> None:
        super().__init__(main, sigma, dtype)
        alone = type(self) is Standard and not sigma and self.dtype == main.dtype
        if alone and isinstance(main, SparseBlock | GramBlock) and main.dtype.kind == "f":
            self.factors = main.factors

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        main = self.main
        W = main.hermitian_product(V) if isinstance(main, DenseBlock) else main.product(V)
        return W - self.sigma * V if self.sigma else W


class Generalized(Problem):
    """``OP = M^-1 A - sigma I`` in the inner product of positive definite M.

    Parameters
    ----------
    A, M, M_inverse : BlockOperator, shape (n, n)
        The pencil and the inverse of M.
    sigma : float
        The shift.
    dtype : dtype
        Working precision.
    """

    def __init__(
        self,
        A: BlockOperator,
        M: BlockOperator,
        M_inverse: BlockOperator,
        sigma: float,
        dtype: Any,
    ) -> None:
        super().__init__(A, sigma, dtype)
        self._measure_by(M)
        self.M_inverse = M_inverse

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        return self._products(V, BV)[0]

    def _products(self, V: NDArray[Any], BV: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        AV = self.main.product(V)
        W = self.M_inverse.product(AV)
        return (W - self.sigma * V, AV - self.sigma * BV) if self.sigma else (W, AV)
