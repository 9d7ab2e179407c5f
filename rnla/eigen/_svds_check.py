"""From the arguments of `svds` to a checked request, in SciPy's words."""

from __future__ import annotations

import hashlib
import operator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.sparse.linalg import aslinearoperator

from rnla._core.checks import KINDS, check_finite_array, check_int, check_unmasked, inexact_dtype
from rnla._core.rng import RNGLike, as_generator
from rnla.linalg.block import BlockOperator, as_block_operator

SOLVERS = ("auto", "arpack", "lobpcg", "propack", "krylov", "sketched", "dense")
# SciPy's PROPACK computes all triplets if asked to, and so do the methods that go by our names.
_COMPLETE = ("propack", "krylov", "sketched", "dense")
_OPTIONS = ("block_size", "sketch_size", "verify")
_WHICH = ("LM", "SM")
_RETURNS = (True, False, "u", "vh")
# A looser residual does not tell neighbouring singular values apart.
_LOOSEST = 1e-6


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `svds` was asked for, checked.

    Attributes
    ----------
    A : BlockOperator
        The matrix as it was given, (m, n).
    k : int
        Triplets wanted.
    largest : bool
        Whether the largest or the smallest singular values are wanted.
    residual : float
        Residual norms are to be at most this, relative to the singular value.
    ncv : int or None
        Columns of the search basis.
    returned : bool or str
        Vectors wanted: True, False, "u" or "vh".
    v0 : ndarray or None
        Start vector, in the working precision.
    maxiter : int or None
        Restarts allowed.
    solver : str
        One of `SOLVERS`.
    rng : Generator
        Seeded by `v0` where there is one.
    block_size, sketch_size : int or None
        Columns added to the basis at a time, rows of the sketch.
    verify : bool
        Whether to search for triplets that were missed.
    """

    A: BlockOperator
    k: int
    largest: bool
    residual: float
    ncv: int | None
    returned: bool | str
    v0: NDArray[Any] | None
    maxiter: int | None
    solver: str
    rng: np.random.Generator
    block_size: int | None
    sketch_size: int | None
    verify: bool


def check_request(
    A: Any,
    k: Any,
    ncv: Any,
    tol: Any,
    which: Any,
    v0: Any,
    maxiter: Any,
    returned: Any,
    solver: Any,
    rng: RNGLike,
    options: Any,
) -> Request:
    """Check every argument; names in messages are those of `svds`, texts begin like SciPy's."""
    solver = str(solver).lower()
    if solver not in SOLVERS:
        listed = ", ".join(map(repr, SOLVERS))
        raise ValueError(f"`solver`={solver!r}: the solver must be one of {listed}")
    matrix = _checked_matrix(A)
    least = min(matrix.shape)
    most = least if solver in _COMPLETE else least - 1
    k = _checked_count(k, most, solver)
    which = str(which).upper()
    if which not in _WHICH:
        raise ValueError(f"`which` must be in {{'LM', 'SM'}}, got {which!r}")
    if not isinstance(returned, (bool, int, str)) or returned not in _RETURNS:
        raise ValueError(
            f"`return_singular_vectors` must be in {{True, False, 'u', 'vh'}}, got {returned!r}"
        )
    residual = _checked_tolerance(tol, matrix.dtype)
    start = None if v0 is None else _checked_start(v0, matrix, solver)
    extra = _checked_options(options, matrix.shape)
    return Request(
        A=matrix,
        k=k,
        largest=which == "LM",
        residual=residual,
        ncv=None if ncv is None else _checked_basis(ncv, k, least),
        returned=returned if isinstance(returned, str) else bool(returned),
        v0=start,
        maxiter=None if maxiter is None else _checked_maxiter(maxiter),
        solver=solver,
        rng=as_generator(rng) if start is None else _seeded_by(start),
        **extra,
    )


def _checked_matrix(A: Any) -> BlockOperator:
    check_unmasked(A, "A")
    if not issparse(A) and not hasattr(A, "matvec"):
        A = _as_array(A)
    # SciPy's own messages for arrays that are no matrix.
    known: Any = aslinearoperator(A)
    dtype = known.dtype
    if dtype is None or dtype.kind not in "biufc":
        raise ValueError(f"`A` must be of numeric data type: {KINDS}, got dtype {dtype}")
    if 0 in known.shape:
        raise ValueError(f"`A` must not be empty, got shape {tuple(known.shape)}")
    if len(known.shape) != 2:
        raise ValueError(f"Only 2-D input is supported for `A`, got shape {tuple(known.shape)}")
    inexact_dtype(dtype, "A")
    return as_block_operator(known)


def _as_array(A: Any) -> NDArray[Any]:
    try:
        array = np.asarray(A)
    except ValueError as error:
        raise ValueError(f"`A` must be a matrix: {error}") from None
    if array.ndim == 0:
        raise TypeError(f"`A` must be a matrix or LinearOperator, got {A!r}: type not understood")
    # SciPy counts half precision as double.
    return array.astype(np.float64) if array.dtype == np.float16 else array


def _checked_integer(value: Any, name: str, wanted: str) -> int:
    """Return an integer, or raise what SciPy raises, with Python's reason where it does."""
    message = f"`{name}` must be {wanted}, got {value!r}"
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(message)
    with suppress(TypeError):
        return operator.index(value)
    if isinstance(value, (float, np.floating)):
        raise ValueError(message)
    if isinstance(value, np.ndarray):
        raise TypeError(message)
    try:
        int(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{message}: {error}") from None
    raise ValueError(message)


def _checked_count(k: Any, most: int, solver: str) -> int:
    upper = "<= min(A.shape)" if solver in _COMPLETE else "< min(A.shape)"
    wanted = f"an integer satisfying `0 < k {upper}`: in 1..{most}"
    number = _checked_integer(k, "k", wanted)
    if not 0 < number <= most:
        raise ValueError(f"`k` must be {wanted}, got {number}")
    return number


def _checked_basis(ncv: Any, k: int, least: int) -> int:
    wanted = f"an integer satisfying `k < ncv < min(A.shape)`: between {k} and {least}"
    number = _checked_integer(ncv, "ncv", wanted)
    if not k < number < least:
        raise ValueError(f"`ncv` must be {wanted}, got {number}")
    return number


def _checked_tolerance(tol: Any, dtype: np.dtype[Any]) -> float:
    """Return the bound of relative residuals: SciPy's, the square of `tol`, within reason."""
    message = f"`tol` must be a non-negative floating point value. Got {tol!r}"
    if isinstance(tol, (bool, np.bool_)) or (isinstance(tol, np.ndarray) and tol.ndim):
        raise TypeError(message)
    try:
        negative = bool(tol < 0)
        number = float(tol)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{message}: {error}") from None
    if negative or not np.isfinite(number):
        raise ValueError(message)
    eps = float(np.finfo(dtype).eps)
    return min(max(number**2, eps), max(_LOOSEST, eps))


def _checked_start(v0: Any, A: BlockOperator, solver: str) -> NDArray[Any]:
    v0 = np.atleast_1d(v0)
    if not np.issubdtype(v0.dtype, np.inexact):
        raise ValueError(
            f"`v0` must be of floating or complex floating data type. Got dtype {v0.dtype}"
        )
    shape = (A.shape[0],) if solver == "propack" else (min(A.shape),)
    if v0.shape != shape:
        raise ValueError(f"`v0` must have shape {shape}, got {v0.shape}")
    check_finite_array(v0, "v0")
    if v0.dtype.kind == "c" and A.dtype.kind != "c":
        raise ValueError(f"`v0` must be real for `A` of dtype {A.dtype}, got dtype {v0.dtype}")
    return np.asarray(v0, A.dtype)


def _seeded_by(v0: NDArray[Any]) -> np.random.Generator:
    """Return a generator that depends on the start vector alone, which wins over `rng`."""
    digest = hashlib.blake2b(np.ascontiguousarray(v0).tobytes(), digest_size=32).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32).tolist())


def _checked_maxiter(maxiter: Any) -> int:
    # SciPy takes 1e4 as well.
    whole = isinstance(maxiter, (float, np.floating)) and float(maxiter).is_integer()
    number = _checked_integer(int(maxiter) if whole else maxiter, "maxiter", "a positive integer")
    if number <= 0:
        raise ValueError(f"`maxiter` must be a positive integer. Got {maxiter!r}")
    return number


def _checked_options(options: Any, shape: tuple[int, int]) -> dict[str, Any]:
    if options is None:
        options = {}
    if not isinstance(options, dict):
        raise TypeError(f"`options` must be a dict or None, got {options!r}")
    unknown = [key for key in options if key not in _OPTIONS]
    if unknown:
        listed = ", ".join(map(repr, _OPTIONS))
        raise ValueError(f"`options` may have the keys {listed}, got {unknown[0]!r}")
    block_size = options.get("block_size")
    if block_size is not None:
        block_size = check_int(block_size, "options['block_size']", 1, min(shape))
    sketch_size = options.get("sketch_size")
    if sketch_size is not None:
        sketch_size = check_int(sketch_size, "options['sketch_size']", min(shape), max(shape))
    verify = options.get("verify", True)
    if not isinstance(verify, (bool, np.bool_)):
        raise TypeError(f"`options['verify']` must be True or False, got {verify!r}")
    return {"block_size": block_size, "sketch_size": sketch_size, "verify": bool(verify)}
