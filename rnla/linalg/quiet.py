"""Whether BLAS needs its threads for the products of a search."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from rnla._core.threads import single_threaded_blas
from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock
from rnla.linalg.skinny import is_skinny


def quiet_blas(A: BlockOperator, width: int) -> AbstractContextManager[None]:
    """Return a context in which BLAS has one thread, if products with A do not need its threads.

    They spin for a while after each product, on processors that the pool needs next.

    Parameters
    ----------
    A : BlockOperator
        The matrix that will be multiplied.
    width : int
        Columns at a time.

    Returns
    -------
    context manager
        For a ``with`` statement.
    """
    if isinstance(A, DenseBlock):
        quiet = is_skinny(A.A if A.A.flags.c_contiguous else A.A.T, width)
    else:
        quiet = isinstance(A, SparseBlock)
    return single_threaded_blas() if quiet else nullcontext()
