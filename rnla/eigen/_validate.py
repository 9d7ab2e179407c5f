"""SciPy's arguments, checked once, with SciPy's messages where users match them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from rnla._core.checks import (
    check_finite_array,
    check_int,
    check_positive_float,
    check_unmasked,
    check_word,
)
from rnla.eigen._select import WHICH, Selection
from rnla.linalg.block import BlockOperator, OperatorBlock, as_block_operator

METHODS = ("auto", "dense", "lanczos")
MODES = ("normal", "buckling", "cayley")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A checked call.

    Attributes
    ----------
    A : BlockOperator
        The matrix, of shape (n, n).
    M, Minv, OPinv : BlockOperator or None
        The other operators.
    dtype : dtype
        Working precision.
    selection : Selection
        What is wanted.
    sigma : float or None
        The shift.
    mode : str
        The transformation that `sigma` stands for.
    start : ndarray, shape (n, p), or None
        First directions.
    ncv, maxiter : int or None
        As given; None for the default.
    tol : float
        Relative tolerance; 0 for the machine epsilon.
    """

    A: BlockOperator
    M: BlockOperator | None
    Minv: BlockOperator | None
    OPinv: BlockOperator | None
    dtype: np.dtype[Any]
    selection: Selection
    sigma: float | None
    mode: str
    start: NDArray[Any] | None
    ncv: int | None
    maxiter: int | None
    tol: float

    @property
    def n(self) -> int:
        """Order of the matrices."""
        return self.A.shape[0]

    @property
    def k(self) -> int:
        """How many eigenpairs."""
        return self.selection.k

    @property
    def explicit(self) -> bool:
        """Whether all entries are at hand."""
        return not isinstance(self.A, OperatorBlock) and not isinstance(self.M, OperatorBlock)


def working_dtype(A: Any) -> np.dtype[Any]:
    """Return the precision to work in, that of SciPy.

    Parameters
    ----------
    A : object with dtype
        The matrix.

    Returns
    -------
    dtype
        Integers and half precision count as double.

    Raises
    ------
    ValueError
        If there is none.
    """
    dtype = np.dtype(A.dtype)
    if dtype.char in "fdFD":
        native: np.dtype[Any] = np.dtype(dtype.type)
        return native
    if dtype.kind not in "biuf" or not np.can_cast(dtype, np.float64):
        raise ValueError(f"matrix type must be 'f', 'd', 'F', or 'D', got {dtype}")
    return np.dtype(np.float64)


def as_matrix(A: Any, name: str) -> Any:
    """Return `A` as something with a shape and a dtype, of two axes.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator
        The argument.
    name : str
        Its name in the caller's signature.

    Returns
    -------
    object
        The argument itself, or an array.

    Raises
    ------
    TypeError
        If it is no matrix.
    ValueError
        If it has not two axes, or masked entries.
    """
    if A is None or isinstance(A, str | bytes | int | float | complex):
        raise TypeError(f"`{name}` must be a matrix or LinearOperator, got {A!r}")
    check_unmasked(A, name)
    if not issparse(A) and not (hasattr(A, "shape") and hasattr(A, "dtype")):
        try:
            A = np.asarray(A)
        except ValueError as error:
            raise ValueError(f"`{name}` must be a matrix: {error}") from None
    if isinstance(A, np.matrix):
        A = np.asarray(A)
    if len(A.shape) != 2:
        raise ValueError(f"{len(A.shape)}-dimensional `{name}` is unsupported, expected 2-D.")
    return A


def check_square(A: Any, M: Any) -> None:
    """Raise unless `A` is square and `M`, if given, of the same shape and precision.

    Parameters
    ----------
    A, M : objects with shape and dtype
        The pencil.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Warns
    -----
    UserWarning
        If the precisions differ.
    """
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"expected square matrix (shape={A.shape})")
    if M is None:
        return
    if M.shape != A.shape:
        raise ValueError(f"wrong M dimensions {M.shape}, should be {A.shape}")
    if np.dtype(M.dtype).char.lower() != np.dtype(A.dtype).char.lower():
        warnings.warn(
            "M does not have the same type precision as A. "
            "This may adversely affect ARPACK convergence",
            UserWarning,
            stacklevel=3,
        )


def check_request(
    A: Any,
    k: int,
    *,
    M: Any,
    sigma: Any,
    which: Any,
    v0: Any,
    ncv: Any,
    maxiter: Any,
    tol: Any,
    Minv: Any,
    OPinv: Any,
    mode: Any,
) -> Request:
    """Check all arguments that SciPy has too; `A` and `M` have passed `check_square`.

    Parameters
    ----------
    A, M : objects with shape and dtype
        The pencil.
    k : int
        How many eigenpairs, below n.
    sigma, which, v0, ncv, maxiter, tol, Minv, OPinv, mode : object
        As the caller gave them.

    Returns
    -------
    Request
        The checked call.

    Raises
    ------
    ValueError
        If a value is out of range, or arguments exclude each other.
    TypeError
        If one has the wrong type.
    """
    n, dtype = A.shape[0], working_dtype(A)
    if M is not None and np.dtype(M.dtype).kind == "c" and dtype.kind != "c":
        raise ValueError("`M` must be real where `A` is real")
    if not isinstance(which, str) or which not in WHICH:
        raise ValueError(f"which must be one of {' '.join(WHICH)}, got {which!r}")
    _check_inverses(M, sigma, Minv, OPinv)
    if sigma is not None:
        sigma = _check_shift(sigma)
        mode = _check_mode(mode, dtype, which)
        if sigma == 0 and mode != "normal":
            raise ValueError(f"`sigma` must not be 0 where mode={mode!r}, got {sigma!r}")
    return Request(
        A=_operator(A, "A", dtype),
        M=None if M is None else _operator(M, "M", dtype),
        Minv=_inverse(Minv, "Minv", A.shape, dtype),
        OPinv=_inverse(OPinv, "OPinv", A.shape, dtype),
        dtype=dtype,
        selection=Selection(which, k),
        sigma=sigma,
        mode=mode if sigma is not None else "normal",
        start=None if v0 is None else _check_start(v0, n, dtype),
        ncv=None if ncv is None else _check_ncv(ncv, k, n),
        maxiter=None if maxiter is None else _check_maxiter(maxiter),
        tol=_check_tol(tol),
    )


def check_k(k: Any) -> int:
    """Return the number of eigenpairs.

    Parameters
    ----------
    k : int
        The argument.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is below 1.
    """
    number = check_int(k, "k", -(2**63))
    if number <= 0:
        raise ValueError("k must be greater than 0.")
    return number


def _check_inverses(M: Any, sigma: Any, Minv: Any, OPinv: Any) -> None:
    if sigma is None:
        if OPinv is not None:
            raise ValueError("OPinv should not be specified with sigma = None.")
        if M is None and Minv is not None:
            raise ValueError("Minv should not be specified with M = None.")
    elif Minv is not None:
        raise ValueError("Minv should not be specified when sigma is specified.")


def _check_shift(sigma: Any) -> float:
    message = f"`sigma` must be a real number, got {sigma!r}"
    if isinstance(sigma, str):
        # Of digits, it would be a number to `complex`.
        raise TypeError(message)
    try:
        value = complex(sigma)
    except (TypeError, ValueError):
        raise TypeError(message) from None
    if value.imag != 0 or not np.isfinite(value.real):
        raise ValueError(f"`sigma` must be real and finite, got {sigma!r}")
    return value.real


def _check_mode(mode: Any, dtype: np.dtype[Any], which: str) -> str:
    if not isinstance(mode, str):
        raise ValueError(f"unrecognized mode {mode!r}")
    if dtype.kind == "c":
        if mode != "normal":
            raise ValueError(f"mode={mode} cannot be used with complex matrix A")
    elif mode not in MODES:
        raise ValueError(f"unrecognized mode '{mode}'")
    return str(mode)


def _check_ncv(ncv: Any, k: int, n: int) -> int:
    number = min(check_int(ncv, "ncv", 1), n)
    if number <= k:
        raise ValueError(f"ncv must be k<ncv<=n, ncv={number}")
    return number


def _check_maxiter(maxiter: Any) -> int:
    # SciPy takes 1e4 as well.
    whole = isinstance(maxiter, float | np.floating) and float(maxiter).is_integer()
    number = check_int(int(maxiter) if whole else maxiter, "maxiter", -(2**63))
    if number <= 0:
        raise ValueError(f"maxiter must be positive, maxiter={number}")
    return number


def _check_tol(tol: Any) -> float:
    negative = isinstance(tol, int | float | np.number) and not isinstance(tol, bool) and tol < 0
    # ARPACK takes the machine epsilon for anything below.
    return 0.0 if negative else check_positive_float(tol, "tol")


def _check_start(v0: Any, n: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    check_unmasked(v0, "v0")
    start = np.asarray(v0)
    if start.ndim not in (1, 2) or start.shape[0] != n or start.size == 0:
        raise ValueError(
            f"`v0` must have shape ({n},) or ({n}, p) to go with `A` of shape {(n, n)}, "
            f"got {start.shape}"
        )
    if start.dtype.kind not in "biufc":
        raise TypeError(f"`v0` must hold numbers, got dtype {start.dtype}")
    if start.dtype.kind == "c" and dtype.kind != "c":
        raise ValueError("`v0` must be real where `A` is real")
    start = start.astype(dtype)
    check_finite_array(start, "v0")
    return start.reshape(n, -1)


def _operator(A: Any, name: str, dtype: np.dtype[Any]) -> BlockOperator:
    if not isinstance(A, LinearOperator) and np.dtype(A.dtype).kind != dtype.kind:
        # A real M beside a complex A stays real.
        dtype = dtype if np.dtype(A.dtype).kind in "biu" else np.empty(0, dtype).real.dtype
    return as_block_operator(A, name, dtype=dtype)


def _inverse(A: Any, name: str, shape: Any, dtype: np.dtype[Any]) -> BlockOperator | None:
    if A is None:
        return None
    A = as_matrix(A, name)
    if A.shape != shape:
        raise ValueError(f"`{name}` must have shape {shape}, got {A.shape}")
    return _operator(A, name, dtype)


def check_method(method: Any) -> str:
    """Return the name of an engine.

    Parameters
    ----------
    method : str
        The argument.

    Returns
    -------
    str
        One of `METHODS`.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    return check_word(method, "method", METHODS)
