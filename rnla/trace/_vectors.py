"""Random test vectors: isotropic, E[w w*] = I, each a pure function of its key and index."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.rng import RNGLike, draw_key
from rnla._core.threads import even_parts, get_num_threads, run_parts
from rnla._kernels.philox import fill_normals, fill_signs

KINDS = ("signs", "steinhaus", "gaussian", "sphere")
# Laws that rotations leave as they are: what is left of such a vector after a projection is one.
ROTATION_INVARIANT = ("gaussian", "sphere")
_TAG = 0x5452_0000
_INLINE_ENTRIES = 1 << 15
# Rows whose partial sums are taken together, a constant so that sums have the same bits always.
_CHUNK = 1024


@dataclass(frozen=True, kw_only=True)
class VectorStream:
    """An endless sequence of test vectors; vector i depends on the key, the stream and i alone.

    Parameters
    ----------
    n : int
        Length of the vectors.
    kind : {"signs", "steinhaus", "gaussian", "sphere"}
        Entries ±1; complex numbers of modulus one; standard normal; or uniform on the sphere of
        radius ``sqrt(n)``. The last two are complex where `dtype` is, "steinhaus" needs that.
    dtype : dtype
        Float32, float64, complex64 or complex128.
    key : ndarray of uint64, shape (2,)
        Philox key.
    stream : int
        Below 65536; the streams of one key are independent of each other.
    """

    n: int
    kind: str
    dtype: np.dtype[Any]
    key: NDArray[np.uint64] = field(repr=False)
    stream: int = 0

    @property
    def generic(self) -> bool:
        """Whether k vectors show the rank of any matrix, up to k, with probability one."""
        return self.kind in ROTATION_INVARIANT

    @classmethod
    def draw(cls, n: int, kind: str, dtype: Any, rng: RNGLike = None) -> VectorStream:
        """Return a stream with a new key.

        Parameters
        ----------
        n : int
            Length of the vectors.
        kind : str
            As above.
        dtype : dtype
            As above.
        rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
            Source of the key; equal seeds give equal vectors.

        Returns
        -------
        VectorStream
            The stream of number 0.

        Raises
        ------
        ValueError
            If `kind` is "steinhaus" and `dtype` is real.
        """
        dtype = np.dtype(dtype)
        check_kind(kind, dtype)
        return cls(n=n, kind=kind, dtype=dtype, key=draw_key(rng))

    def other(self, stream: int, kind: str | None = None) -> VectorStream:
        """Return an independent stream of the same key, of another kind if wanted."""
        return VectorStream(
            n=self.n, kind=kind or self.kind, dtype=self.dtype, key=self.key, stream=stream
        )

    def columns(self, start: int, stop: int) -> NDArray[Any]:
        """Return vectors ``start..stop-1`` as the columns of an array.

        Parameters
        ----------
        start, stop : int
            Indices of the first vector and of the one after the last.

        Returns
        -------
        ndarray, shape (n, stop - start)
            C-ordered.
        """
        if self.kind == "signs":
            return self._signs(start, stop)
        block = self._normals(start, stop)
        if self.kind == "steinhaus":
            block /= np.sqrt(block.real * block.real + block.imag * block.imag)
        elif self.kind == "sphere":
            block *= (np.sqrt(self.n) / column_norms(block)).astype(block.real.dtype)
        return block

    def _signs(self, start: int, stop: int) -> NDArray[Any]:
        out = np.empty((self.n, stop - start), np.dtype(self.dtype.type(0).real.dtype))
        self._fill(fill_signs, start, out)
        return out.astype(self.dtype, copy=False)

    def _normals(self, start: int, stop: int) -> NDArray[Any]:
        # The kernel makes four columns at once and starts at a multiple of four.
        per_vector = 2 if self.dtype.kind == "c" else 1
        first = per_vector * start
        skipped = first % 4
        real = np.empty(
            (self.n, skipped + per_vector * (stop - start)), self.dtype.type(0).real.dtype
        )
        self._fill(fill_normals, first - skipped, real)
        block = np.ascontiguousarray(real[:, skipped:])
        if per_vector == 2:
            block *= np.sqrt(0.5).astype(block.dtype)
            return block.view(self.dtype)
        return block

    def _fill(self, fill: Any, column: int, out: NDArray[Any]) -> None:
        if out.size == 0:
            return
        tag = np.uint64(_TAG + self.stream)

        def task(low: int, high: int) -> None:
            fill(self.key, tag, np.uint64(low), column, out[low:high])

        parts = 1 if out.size < _INLINE_ENTRIES else 4 * get_num_threads()
        run_parts(task, even_parts(self.n, parts))


def check_kind(kind: str, dtype: np.dtype[Any]) -> None:
    """Raise ValueError where real matrices are to be multiplied with complex vectors."""
    if kind == "steinhaus" and dtype.kind != "c":
        raise ValueError(
            "`test_vectors`='steinhaus' holds complex numbers and is for complex `A`; use 'signs'"
        )


def column_dots(X: NDArray[Any], Y: NDArray[Any]) -> NDArray[Any]:
    """Return the inner products ``x_j* y_j`` of columns, with bits that do not depend on the block.

    Parameters
    ----------
    X, Y : ndarray, shape (n, k)
        Of one shape.

    Returns
    -------
    ndarray, shape (k,)
        Float64, or complex128 where an argument is complex; accumulated in double precision.
    """
    double = np.result_type(X.dtype, Y.dtype, np.float64)
    total = np.zeros(X.shape[1], double)
    for row in range(0, len(X), _CHUNK):
        part = slice(row, row + _CHUNK)
        terms = np.multiply(X[part].conj(), Y[part], dtype=double)
        # Contiguous rows are summed pairwise; sums down a column would depend on the width.
        total += np.ascontiguousarray(terms.T).sum(axis=1)
    return total


def column_norms(X: NDArray[Any]) -> NDArray[np.float64]:
    """Return the 2-norms of columns, with bits that do not depend on the block.

    Parameters
    ----------
    X : ndarray, shape (n, k)
        Real or complex.

    Returns
    -------
    ndarray of float64, shape (k,)
        One per column.
    """
    norms: NDArray[np.float64] = np.sqrt(column_dots(X, X).real)
    return norms
