"""Cheap approximations of ``(A^H A)^-1`` that turn residuals into corrections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, eye_array
from scipy.sparse.csgraph import reverse_cuthill_mckee
from scipy.sparse.linalg import splu

from rnla.linalg.block import BlockOperator
from rnla.linalg.orth import orthonormal_block, random_block
from rnla.linalg.range_finder import draw_sketch

# Columns of the identity that a matrix-free operator multiplies at a time.
COLUMNS = 64
_INVERSE_STEPS = 2
# Products that form A^H A, and entries of its factor, 0.5 GiB in double precision.
_GRAM_ENTRIES = 1 << 25
_FACTOR_ENTRIES = 1 << 26

Inverse = Callable[[NDArray[Any]], NDArray[Any]]


class GramPreconditioner(ABC):
    """A Hermitian positive definite H, close to ``A^H A``, by its inverse.

    Attributes
    ----------
    norm : float
        ``||A||`` up to a small factor.
    """

    norm: float

    @abstractmethod
    def apply(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``H^-1 X``."""

    def range_inverses(self) -> list[Inverse]:
        """Return ways to apply ``H^-1`` in the range of ``A^H``, each for where the last fails.

        There the parts of a block along null vectors are rounding, which H^-1 amplifies.
        """
        return [self.apply]

    @abstractmethod
    def start(self, width: int, rng: np.random.Generator) -> NDArray[Any]:
        """Return an orthonormal block near the smallest right singular vectors of A."""


class SketchedFactor(GramPreconditioner):
    """``H = (S A)^H (S A)`` by the singular value decomposition of the sketch's factor R.

    Parameters
    ----------
    R : ndarray, shape (n, n)
        Any matrix with ``R^H R = (S A)^H (S A)``.

    Notes
    -----
    Singular values below roundoff of the largest are raised to it: they are noise.
    """

    def __init__(self, R: NDArray[Any]) -> None:
        _, sigma, VH = np.linalg.svd(R)
        floor = sigma[0] * len(R) * np.finfo(R.dtype).eps
        self.norm = float(sigma[0])
        self._sigma = np.maximum(sigma, floor if floor > 0 else 1)[:, None]
        self._V = np.ascontiguousarray(VH.conj().T)
        self._VH = VH
        self._in_range = (sigma > floor)[:, None]

    def apply(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self._V @ ((self._VH @ X) / self._sigma / self._sigma))

    def range_inverses(self) -> list[Inverse]:
        return [self._apply_in_range]

    def _apply_in_range(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self._V @ ((self._VH @ X) / self._sigma / self._sigma * self._in_range))

    def start(self, width: int, rng: np.random.Generator) -> NDArray[Any]:
        return self._V[:, : -width - 1 : -1].copy()

    def factor(self) -> NDArray[Any]:
        """Return R with ``H = R^H R``, its rows orthogonal."""
        return np.asarray(self._sigma * self._VH)

    def inverse(self) -> NDArray[Any]:
        """Return the inverse of `factor`."""
        return np.asarray(self._V / self._sigma[:, 0])


class GramFactor(GramPreconditioner):
    """``H = A^H A + shift I`` by sparse LU.

    Parameters
    ----------
    A : csr_array, shape (m, n)
        The matrix.

    Notes
    -----
    The shift, ``n eps ||A||^2`` at the most, keeps the factor finite where A is rank deficient. It
    spoils the smallest values by itself; the iteration around it does not see H but as a
    preconditioner.
    """

    def __init__(self, A: Any) -> None:
        G = csc_array(A.conj().T @ A)
        self._n = A.shape[1]
        self._dtype = A.dtype
        largest = float(G.diagonal().real.max(initial=0.0))
        self.norm = float(np.sqrt(largest))
        shift = self._n * float(np.finfo(A.dtype).eps) * largest
        self._shift = np.asarray(shift if shift > 0 else 1.0, A.dtype.type(0).real.dtype)
        shifted = G + self._shift * eye_array(self._n, dtype=A.dtype)
        self._lu = splu(
            csc_array(shifted),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def apply(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self._lu.solve(np.asfortranarray(X)))

    def range_inverses(self) -> list[Inverse]:
        return [self.apply, self._apply_off_null]

    def _apply_off_null(self, X: NDArray[Any]) -> NDArray[Any]:
        # H^-1 (A^H A) H^-1 takes parts along null vectors away. It is no longer an inverse where
        # squares are below the shift, and the other way is the better one.
        return self.apply(X - self.apply(X) * self._shift)

    def start(self, width: int, rng: np.random.Generator) -> NDArray[Any]:
        X = orthonormal_block(random_block(rng, (self._n, width), self._dtype))
        for _ in range(_INVERSE_STEPS):
            X = orthonormal_block(self.apply(X), rng=rng)
        return X


def factor_is_cheap(A: Any) -> bool:
    """Tell whether the sparse factor of ``A^H A`` is sure to fit.

    Parameters
    ----------
    A : csr_array, shape (m, n)
        The matrix.

    Returns
    -------
    bool
        True if the envelope of ``A^H A`` in reverse Cuthill-McKee order, which bounds the fill of a
        Cholesky factor, is small. Entries that cancel are counted.
    """
    counts = np.diff(A.indptr).astype(np.float64)
    if float(counts @ counts) > _GRAM_ENTRIES:
        return False
    pattern = csr_array((np.ones(A.nnz, np.int32), A.indices, A.indptr), shape=A.shape)
    G = csr_array(pattern.T @ pattern)
    order = reverse_cuthill_mckee(G, symmetric_mode=True)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rows, columns = G.nonzero()
    reach = np.zeros(len(order), np.int64)
    np.maximum.at(reach, place[rows], place[rows] - place[columns])
    return int(reach.sum()) <= _FACTOR_ENTRIES


def sketched_factor(
    A: BlockOperator, explicit: Any, rows: int, rng: np.random.Generator
) -> SketchedFactor:
    """Sketch a tall matrix and factor what is left of it.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        The matrix. If it is free of entries it multiplies the n columns of the identity.
    explicit : ndarray, sparse matrix or None
        The same matrix by its entries, which are read once.
    rows : int
        Of the sketch.
    rng : Generator
        Draws it.

    Returns
    -------
    SketchedFactor
        The preconditioner.
    """
    m, n = A.shape
    S = draw_sketch("sparse_sign", rows, m, A.dtype, rng)
    if explicit is not None:
        sketch = S @ explicit
    else:
        sketch = np.empty((rows, n), A.dtype)
        for start in range(0, n, COLUMNS):
            stop = min(n, start + COLUMNS)
            unit = np.eye(n, stop - start, -start, A.dtype)
            sketch[:, start:stop] = S @ A.product(unit)
    return SketchedFactor(np.asarray(np.linalg.qr(sketch, mode="r")))
