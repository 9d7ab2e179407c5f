"""Which method computes the triplets, and the sizes it works with."""

from __future__ import annotations

from dataclasses import dataclass

from rnla.eigen._svds_check import Request
from rnla.eigen._svds_krylov import GUARD
from rnla.eigen._svds_precondition import factor_is_cheap
from rnla.eigen._svds_smallest import GUARD as SMALLEST_GUARD
from rnla.linalg.block import BlockOperator, DenseBlock, OperatorBlock, SparseBlock

# LAPACK on so small a matrix is faster than any iteration.
_TINY = 64
# Beyond these parts of all triplets LAPACK computes the rest at no cost.
_MANY_DENSE = 5
_MANY_OTHER = 10
# Entries of a dense copy that may be made, and columns up to which its cubic cost is bearable.
_COPY_ENTRIES = 1 << 24
_COPY_COLUMNS = 3000
# A sketch of four times the columns pays where it is a fraction of the matrix, and is enough where
# its factor is made exact. Elsewhere three times as many rows save a third of the steps and twelve
# times half of them; the factor should cost little beside them, so many times m / n rows.
_SKETCH_FACTOR, _LARGE_SKETCH_FACTOR, _LARGEST_SKETCH_FACTOR = 4, 12, 48
_SKETCH_SHARE = 80
_TALL = 2 * _SKETCH_FACTOR
_SKETCH_ENTRIES = 1 << 26
# Columns up to which all of them, multiplied at once, cost no more than the steps that an exact
# factor saves; and entries of the product where it has to exist as a whole.
_EXACT_COLUMNS, _EXACT_ENTRIES = 1000, 1 << 26
# Up to so many columns LAPACK takes no more time than the steps after a sketch, and up to so many
# no more than block Golub-Kahan, measured for tall arrays that fit in memory.
_FEW_COLUMNS, _FEW_LARGEST = 400, 150
# Columns of a block. Wider ones need more columns in all: they pay where many triplets are wanted
# and the product costs less by block than by column.
_BLOCK, _MANY_TRIPLETS = 2, 20
_BLOCKS = {DenseBlock: 8, SparseBlock: 4, OperatorBlock: 2}
_STEPS = 4


@dataclass(frozen=True)
class Sizes:
    """Of a block, of the Krylov basis and of the sketch, and whether its factor is made exact."""

    block: int
    capacity: int
    sketch: int
    exact: bool = False


def choose(request: Request, A: BlockOperator, core: BlockOperator) -> str:
    """Return the method: "dense", "krylov", "sketched" or "factored".

    Parameters
    ----------
    request : Request
        What is asked for.
    A : BlockOperator, shape (m, n)
        With m >= n.
    core : BlockOperator
        The matrix that A is a view of.

    Returns
    -------
    str
        Its name.
    """
    if request.solver in ("krylov", "sketched", "dense"):
        return _checked(request, A)
    m, n = A.shape
    dense = isinstance(core, DenseBlock)
    copyable = can_copy(A, core)
    # A basis of a size of the user's own asks for the iteration.
    if request.largest and request.ncv is not None:
        return "krylov"
    if n <= _TINY and copyable:
        return "dense"
    if n < request.k * (_MANY_DENSE if dense else _MANY_OTHER) and copyable:
        return "dense"
    few = _FEW_LARGEST if request.largest else _FEW_COLUMNS
    if dense and n <= few and 2 * n <= m and m * n <= _COPY_ENTRIES:
        return "dense"
    if request.largest:
        return "krylov"
    if (
        m >= _TALL * n
        and _SKETCH_FACTOR * n * n <= _SKETCH_ENTRIES
        and 3 * (request.k + SMALLEST_GUARD) < n
    ):
        return "sketched"
    if copyable:
        return "dense"
    if isinstance(core, SparseBlock) and factor_is_cheap(core.rows if A is core else core.columns):
        return "factored"
    return "krylov"


def can_copy(A: BlockOperator, core: BlockOperator) -> bool:
    """Tell whether LAPACK can have the whole matrix.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        With m >= n.
    core : BlockOperator
        The matrix that A is a view of.

    Returns
    -------
    bool
        True if it is dense already or small.
    """
    m, n = A.shape
    return isinstance(core, DenseBlock) or (m * n <= _COPY_ENTRIES and n <= _COPY_COLUMNS)


def _checked(request: Request, A: BlockOperator) -> str:
    m, n = A.shape
    if request.solver == "sketched":
        if request.largest:
            raise ValueError(
                "`solver`='sketched' computes the smallest triplets: use which='SM', "
                "or solver='krylov' for the largest"
            )
        if m < 2 * n or request.k > n // 3:
            raise ValueError(
                "`solver`='sketched' needs a matrix that is twice as tall as wide, or the other "
                f"way round, and k <= min(A.shape) // 3: got shape {request.A.shape} and "
                f"k={request.k}; use solver='auto'"
            )
    return request.solver


def sizes(request: Request, A: BlockOperator, core: BlockOperator) -> Sizes:
    """Return the sizes that were asked for, or their defaults.

    Parameters
    ----------
    request : Request
        What is asked for.
    A : BlockOperator, shape (m, n)
        With m >= n.
    core : BlockOperator
        The matrix that A is a view of.

    Returns
    -------
    Sizes
        Within the bounds that shape and `ncv` set.
    """
    m, n = A.shape
    k = request.k
    many, exact = k >= _MANY_TRIPLETS, _exact_pays(A, core)
    block = request.block_size or (_BLOCKS.get(type(core), _BLOCK) if many else _BLOCK)
    if request.ncv is not None:
        # The next block belongs to the basis, and a few steps should fit.
        block = min(block, max(1, (request.ncv - k) // _STEPS))
        capacity = request.ncv
    else:
        block = min(block, max(1, n - k)) if k < n else 1
        capacity = max(2 * k + GUARD + 4 * block, k + 40)
    return Sizes(
        block=block,
        capacity=min(capacity, n),
        sketch=request.sketch_size or _sketch_size(m, n, exact),
        exact=exact,
    )


def _sketch_size(m: int, n: int, exact: bool) -> int:
    if exact:
        return _SKETCH_FACTOR * n if m >= _TALL * n else max(n, m // 2)
    most = min(_LARGEST_SKETCH_FACTOR * n, _SKETCH_SHARE * m // n, _SKETCH_ENTRIES // n)
    return min(max(_LARGE_SKETCH_FACTOR * n, most), max(n, m // 2))


def _exact_pays(A: BlockOperator, core: BlockOperator) -> bool:
    m, n = A.shape
    if isinstance(core, OperatorBlock) and m * n > _EXACT_ENTRIES:
        return False
    return n <= _EXACT_COLUMNS
