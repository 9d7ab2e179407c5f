"""The spectral problem that Lanczos sees: an operator, its inner product, and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock
from rnla.linalg.orth import InnerProduct


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
    purifies : bool
        Whether vectors have to be multiplied by OP to lie in the space of finite eigenvalues.
    is_original : bool
        Whether residuals of OP are those of the caller's problem.
    """

    name = "lanczos"
    purifies = False
    is_original = False

    def __init__(self, main: BlockOperator, sigma: float, dtype: Any) -> None:
        self.main = main
        self.sigma = sigma
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.inner: InnerProduct | None = None

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
            refuse_skew(T, length, "A", self.dtype)

    def _product_with(self, M: BlockOperator | None) -> InnerProduct | None:
        return None if M is None else lambda X: M.product(X).astype(self.dtype, copy=False)


class Standard(Problem):
    """``OP = A - sigma I``.

    Parameters are those of `Problem`.
    """

    is_original = True

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
        self.inner = self._product_with(M)
        self.M_inverse = M_inverse

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        return self._products(V, BV)[0]

    def _products(self, V: NDArray[Any], BV: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        AV = self.main.product(V)
        W = self.M_inverse.product(AV)
        return (W - self.sigma * V, AV - self.sigma * BV) if self.sigma else (W, AV)


class ShiftInvert(Problem):
    """``OP = (A - sigma M)^-1 M`` in the inner product of M, ``theta = 1 / (w - sigma)``.

    Parameters
    ----------
    inverse : BlockOperator, shape (n, n)
        Of ``A - sigma M``.
    M : BlockOperator or None
        None for the identity; it may be singular.
    sigma : float
        The shift.
    dtype : dtype
        Working precision.
    """

    name = "shift-invert lanczos"

    def __init__(
        self, inverse: BlockOperator, M: BlockOperator | None, sigma: float, dtype: Any
    ) -> None:
        super().__init__(inverse, sigma, dtype)
        self.inner = self._product_with(M)
        self.purifies = M is not None

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        return self.main.product(BV)

    def eigenvalues(self, theta: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(divide="ignore"):
            return np.asarray(self.sigma + 1 / theta)


class Buckling(ShiftInvert):
    """``OP = (A - sigma M)^-1 A`` in the inner product of A, ``theta = w / (w - sigma)``.

    Parameters are those of `ShiftInvert` with A, which is positive definite, in the place of M.
    """

    def eigenvalues(self, theta: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.sigma * theta / (theta - 1))


class Reflected(Problem):
    """``OP = I - sigma A^-1 M`` in the inner product of A, the inverse of the buckling operator.

    Parameters
    ----------
    inverse : BlockOperator, shape (n, n)
        Of A.
    A, M : BlockOperator
        The pencil; M may be None for the identity.
    sigma : float
        The shift.
    dtype : dtype
        Working precision.
    """

    name = "shift-invert lanczos"

    def __init__(
        self,
        inverse: BlockOperator,
        A: BlockOperator,
        M: BlockOperator | None,
        sigma: float,
        dtype: Any,
    ) -> None:
        super().__init__(inverse, sigma, dtype)
        self.inner = self._product_with(A)
        self.M = M

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        MV = V if self.M is None else self.M.product(V)
        return V - self.sigma * self.main.product(MV.astype(self.dtype, copy=False))

    def eigenvalues(self, theta: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(divide="ignore"):
            return np.asarray(self.sigma / (1 - theta))


class Cayley(ShiftInvert):
    """``OP = (A - sigma M)^-1 (A + sigma M)``, ``theta = (w + sigma) / (w - sigma)``.

    Parameters are those of `ShiftInvert`. OP is applied as ``I + 2 sigma (A - sigma M)^-1 M``.
    """

    def __init__(
        self, inverse: BlockOperator, M: BlockOperator | None, sigma: float, dtype: Any
    ) -> None:
        super().__init__(inverse, M, sigma, dtype)
        self.purifies = False

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        return V + 2 * self.sigma * self.main.product(BV)

    def eigenvalues(self, theta: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.sigma * (theta + 1) / (theta - 1))
