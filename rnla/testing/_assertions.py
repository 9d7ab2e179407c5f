"""Assertions about operators and bases."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnla._core.checks import inexact_dtype
from rnla._core.rng import RNGLike, as_generator
from rnla.testing._problems import gaussian


def assert_adjoint(op: Any, rng: RNGLike = None) -> None:
    r"""Raise unless an operator and its adjoint belong together.

    Checks :math:`\langle y, A x \rangle = \langle A^H y, x \rangle` on random vectors and on a
    random block, to 100 units of roundoff of the operator's precision.

    Parameters
    ----------
    op : LinearOperator
        With ``shape``, ``dtype``, ``matvec``, ``rmatvec``, ``matmat`` and ``rmatmat``.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the vectors, as in ``numpy.random.default_rng``.

    Raises
    ------
    AssertionError
        If the two inner products differ, or a product has the wrong shape.

    Notes
    -----
    The two sides are compared on the scale ``||A x|| ||y|| + ||x|| ||A^H y||``. One random pair
    finds a wrong adjoint almost surely, because the difference is a bilinear form in x and y.

    Examples
    --------
    >>> from rnla.sketch import SparseSign
    >>> from rnla.testing import assert_adjoint
    >>> assert_adjoint(SparseSign.draw(20, 300, rng=0), rng=1)
    """
    rng = as_generator(rng)
    m, n = op.shape
    dtype = inexact_dtype(op.dtype, "op")
    X, Y = gaussian((n, 3), dtype, rng), gaussian((m, 3), dtype, rng)
    products = [
        (op.matvec(X[:, 0]), op.rmatvec(Y[:, 0]), X[:, 0], Y[:, 0]),
        (op.matmat(X), op.rmatmat(Y), X, Y),
    ]
    for AX, AHY, x, y in products:
        if AX.shape != y.shape or AHY.shape != x.shape:
            raise AssertionError(
                f"products of {x.shape} and {y.shape} have shapes {AX.shape} and {AHY.shape}"
            )
        left, right = np.vdot(y, AX), np.vdot(AHY, x)
        scale = np.linalg.norm(AX) * np.linalg.norm(y) + np.linalg.norm(x) * np.linalg.norm(AHY)
        error = abs(left - right)
        if not error <= 100 * np.finfo(dtype).eps * scale:
            raise AssertionError(
                f"<y, A x> = {left} but <A^H y, x> = {right}: they differ by {error:.1e}, "
                f"{error / scale if scale else np.inf:.1e} of their scale"
            )


def assert_orthonormal(Q: Any, rtol: float | None = None) -> None:
    """Raise unless the columns of `Q` are orthonormal, ``||Q^H Q - I||_F <= rtol * sqrt(n)``.

    Parameters
    ----------
    Q : array_like, shape (m, n)
        Real or complex, m >= n.
    rtol : float, optional
        Default: 100 units of roundoff of the precision of `Q`.

    Raises
    ------
    AssertionError
        If they are not.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.testing import assert_orthonormal
    >>> assert_orthonormal(np.linalg.qr(np.random.default_rng(0).random((30, 4)))[0])
    """
    Q = np.asarray(Q)
    dtype = inexact_dtype(Q.dtype, "Q")
    if Q.ndim != 2 or Q.shape[0] < Q.shape[1]:
        raise AssertionError(f"orthonormal columns need shape (m, n) with m >= n, got {Q.shape}")
    n = Q.shape[1]
    limit = 100 * float(np.finfo(dtype).eps) if rtol is None else rtol
    # Sums in double precision: what is judged is Q, not the product.
    Q = Q.astype(np.result_type(dtype, np.float64))
    error = float(np.linalg.norm(Q.conj().T @ Q - np.eye(n))) / np.sqrt(max(1, n))
    if not error <= limit:
        raise AssertionError(f"||Q^H Q - I||_F / sqrt(n) = {error:.1e} is above {limit:.1e}")
