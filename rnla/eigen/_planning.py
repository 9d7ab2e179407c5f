"""How to search: columns at a time, size of the basis, what is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnla._core.driver import Callback
from rnla.eigen._plan import Plan
from rnla.eigen._problem import Generalized, Problem, Standard
from rnla.eigen._select import Selection
from rnla.eigen._validate import Request
from rnla.linalg.block import DenseBlock, OperatorBlock, SparseBlock
from rnla.linalg.skinny import columns_in_one_reading

# Columns at a time: a Krylov space from b columns sees b copies of an eigenvalue.
_BLOCK, _BLOCK_FEW, BLOCK_MANY = 4, 2, 16
# At first one column, where a search with more may follow, for up to so many eigenvalues.
BLOCK_TRIED, _MOST_TRIED = 1, 64
_LARGE = 1000
# Below so many sparse products are with few columns.
_FEW = 8
# With so many entries in a row for each wanted vector a polynomial pays; with so many in all, where
# a few restarts have not been enough.
_PER_FILTERED, _PER_TRIED = 2.0, 64
# ARPACK looks at whole bases alone, and so is more accurate than asked for. With M, where a step
# costs a solve, one or two more make up for that.
_PENCIL = 0.3
# Basis vectors beyond the wanted ones: fewer where each takes much memory.
_ROOM, _LEAST_ROOM, _ROOM_ENTRIES, _PER_ENTRY = 96, 32, 1 << 25, 4


@dataclass(frozen=True, kw_only=True)
class Options:
    """What SciPy has no argument for.

    Attributes
    ----------
    method : str
        "auto", "dense" or "lanczos".
    block_size : int or None
        Columns multiplied at a time.
    verify : bool
        Whether to search the complement in the end.
    surrogate : object or None
        As the caller gave it.
    sketch_size : int or None
        Rank of a surrogate to make.
    keep_surrogate : bool
        Whether to return what the search leaves over.
    callback : callable or None
        For the driver.
    rng : Generator
        For everything random.
    """

    method: str
    block_size: int | None
    verify: bool
    surrogate: Any
    sketch_size: int | None
    keep_surrogate: bool
    callback: Callback | None
    rng: np.random.Generator


def plan_for(request: Request, problem: Problem, selection: Selection, options: Options) -> Plan:
    """Return how to search for what is wanted."""
    n, k = request.n, request.k
    block = options.block_size or _block_size(request, problem)
    room = min(_ROOM, max(_LEAST_ROOM, _ROOM_ENTRIES // n))
    if isinstance(problem.main, SparseBlock):
        # Where products are cheap, orthogonalisation against many vectors is not.
        room = min(room, max(_LEAST_ROOM, _PER_ENTRY * problem.main.rows.nnz // n))
    capacity = request.ncv or max(2 * k + 4 + 4 * block, k + room)
    capacity = min(capacity, problem.dimension)
    return Plan(
        selection=selection,
        block=min(block, max(1, (capacity - k) // 4)),
        capacity=capacity,
        tol=request.tol * (_PENCIL if isinstance(problem, Generalized) else 1.0),
        verify=options.verify,
        tried=_columns_tried(k, options.block_size),
        row_cost=_row_cost(problem),
        keeps_space=options.keep_surrogate,
        watched=options.callback is not None,
        # A product of a sparse matrix costs less than to rotate one.
        keeps_products=not (isinstance(problem, Standard) and isinstance(request.A, SparseBlock)),
    )


def is_filtered(request: Request, problem: Problem, plan: Plan, options: Options) -> bool:
    """Tell whether products are so cheap, and so many vectors wanted, that a polynomial pays."""
    main = problem.main
    if type(problem) is not Standard or problem.sigma or not isinstance(main, SparseBlock):
        return False
    if request.ncv is not None or request.maxiter is not None or options.method != "auto":
        return False
    if plan.correction is not None or plan.selection.which not in ("LA", "SA", "LM"):
        return False
    if request.k < _FEW or (plan.tried and options.block_size is None):
        return pays_after_trial(request.n, request.k, main.rows.nnz)
    return filter_pays(request.n, request.k, main.rows.nnz)


def filter_pays(n: int, k: int, nnz: int) -> bool:
    """Tell whether products are so cheap, and so many vectors wanted, that a polynomial pays.

    Parameters
    ----------
    n, k : int
        Order of the operator and vectors wanted.
    nnz : int
        Multiplications for a column.

    Returns
    -------
    bool
        As measured for graphs.
    """
    return 8 * k <= n and nnz <= _PER_FILTERED * k * n


def pays_after_trial(n: int, k: int, nnz: int) -> bool:
    """Tell whether a polynomial pays where some steps without it have not been enough.

    Parameters
    ----------
    n, k : int
        Order of the operator and vectors wanted.
    nnz : int
        Multiplications for a column.

    Returns
    -------
    bool
        Whatever k is: the trial has shown that values lie close.
    """
    return 8 * k <= n and nnz <= _PER_TRIED * n


def _row_cost(problem: Problem) -> float:
    if not isinstance(problem, Standard) or isinstance(problem.main, OperatorBlock):
        return np.inf
    if isinstance(problem.main, SparseBlock):
        return float(problem.main.rows.nnz / problem.n)
    return float(problem.n)


def _block_size(request: Request, problem: Problem) -> int:
    main = problem.main
    if isinstance(main, OperatorBlock) and main.by_columns:
        return _BLOCK_FEW
    if isinstance(main, DenseBlock) and request.n >= _LARGE:
        # More columns than one reading multiplies cost more than the steps they save.
        real = main.dtype.kind == "f"
        width = columns_in_one_reading(main.dtype) if real else BLOCK_MANY
        return width if request.k >= 2 * width else width // 2
    explicit = isinstance(main, DenseBlock | SparseBlock)
    return _BLOCK_FEW if explicit and request.k <= _FEW else _BLOCK


def _columns_tried(k: int, block_size: int | None) -> int:
    if block_size is not None:
        return block_size if k < _FEW else 0
    return BLOCK_TRIED if k <= _MOST_TRIED else 0
