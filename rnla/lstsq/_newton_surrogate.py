"""A sketch of the Hessian's root, turned into a preconditioner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_lapack_funcs, qr, svd

from rnla.lstsq._newton_problem import Root, Vector
from rnla.sketch import SKETCHES, RowSampling
from rnla.sketch._operator import is_sparse

# Singular values of the scaled factor below this many roundoffs of the largest count as zero.
_RANK_ROUNDOFFS = 30


@dataclass
class Surrogate:
    """Draws a sketch of a root and factors it.

    Parameters
    ----------
    method : {"sketch", "subsample", "exact"}
        What is factored: a sketch of B, a sample of its rows, or B itself.
    sketch : str
        Family of the sketch.
    size : int
        Rows of the sketch; a root with no more rows is factored itself.
    rng : numpy.random.Generator
        Source of the sketches.

    Attributes
    ----------
    n_sketch : int
        Sketches and samples drawn.
    """

    method: str
    sketch: str
    size: int
    rng: np.random.Generator
    n_sketch: int = 0

    def preconditioner(self, root: Root) -> Vector:
        """Return P, (n, n) and nonsingular, for which ``P.T @ H @ P`` is near the identity.

        The factor comes from Householder QR of the stacked sketch with columns scaled by the true
        norms. Directions that are zero in it get the weight of its largest singular value: P then
        leaves them alone instead of blowing up their rounding errors.
        """
        B, scale = root.B, root.scale
        n = len(scale)
        compressed = self._compress(root)
        W = np.zeros((len(compressed) + n, n), order="F")
        np.multiply(compressed, scale, out=W[: len(compressed)])
        np.fill_diagonal(W[len(compressed) :], root.damp * scale)
        R = np.asfortranarray(qr(W, mode="r", overwrite_a=True, check_finite=False)[0][:n])
        lapack: Any = get_lapack_funcs(("trcon", "trtri"), (R,))
        trcon, trtri = lapack
        cutoff = _RANK_ROUNDOFFS * float(np.finfo(B.dtype).eps)
        if np.diagonal(R).all() and trcon(R)[0] > cutoff:
            inverse: Any = trtri(R)[0]
        else:
            _, values, Vh = svd(R, check_finite=False)
            largest = values[0] or 1.0
            kept = values > cutoff * largest
            inverse = Vh.T / np.where(kept, values, largest)
        return scale[:, None] * inverse  # type: ignore[no-any-return]

    def _compress(self, root: Root) -> NDArray[Any]:
        B = root.B
        if self.method == "exact" or B.shape[0] <= self.size:
            return B.toarray() if is_sparse(B) else B  # type: ignore[no-any-return]
        m = B.shape[0]
        if self.method == "subsample":
            scores = root.scores()
            if not scores.any():
                return np.zeros((0, B.shape[1]))
            S = RowSampling.draw(self.size, m, probabilities=scores, rng=self.rng, dtype=B.dtype)
        else:
            S = SKETCHES[self.sketch].draw(self.size, m, rng=self.rng, dtype=B.dtype)
        self.n_sketch += 1
        return S.multiply(B, "hessian_root(x)")
