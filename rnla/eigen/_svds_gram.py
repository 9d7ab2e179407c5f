"""A start for singular triplets of a sparse matrix: Lanczos on its Gram matrix or a polynomial.

One orthonormal basis instead of two, and few products that have to be orthogonalised. Squares cost
digits of small singular values, so nothing is returned from here: triplets are formed from products
of A with the basis, and judged by both of their residuals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import State
from rnla._core.threads import single_threaded_blas
from rnla.eigen._filter import filtered_states
from rnla.eigen._golub_kahan import GolubKahan
from rnla.eigen._lanczos import BlockLanczos
from rnla.eigen._plan import Plan, RitzState
from rnla.eigen._planning import BLOCK_TRIED, filter_pays, pays_after_trial
from rnla.eigen._problem import Standard
from rnla.eigen._select import Selection
from rnla.eigen._svds_check import Request
from rnla.eigen._svds_choose import Sizes
from rnla.eigen._svds_krylov import (
    Aim,
    TripletIteration,
    Triplets,
    TripletState,
    from_squares,
    golub_kahan,
)
from rnla.linalg.block import BlockOperator, SparseBlock
from rnla.linalg.gram import GramBlock

# Part of the norm down to which squares tell copies of a singular value apart, as well as a search
# with A does.
_CLEAR = 1 / 64
_ROOM = 32
# Products after which the size of wanted values shows.
_SETTLED = 50
# Restarts after which it is the turn of A.
_MOST_RESTARTS = 20
# Triplets up to which single columns are tried first.
_MOST_TRIED = 128


def prefers_gram(request: Request, A: BlockOperator) -> bool:
    """Tell whether products are so cheap that a basis on one side pays.

    Parameters
    ----------
    request : Request
        What is asked for.
    A : BlockOperator
        The matrix that would be searched.

    Returns
    -------
    bool
        False where the caller has chosen the basis.
    """
    core = request.A
    if not isinstance(core, SparseBlock) or not request.largest or request.solver == "krylov":
        return False
    if request.ncv is not None or request.maxiter is not None or request.block_size is not None:
        return False
    n, products = min(A.shape), 2 * int(core.rows.nnz)
    if request.k <= _MOST_TRIED:
        return pays_after_trial(n, request.k, products)
    return filter_pays(n, request.k, products)


def gram_started(
    A: BlockOperator, request: Request, aim: Aim, size: Sizes, start: NDArray[np.inexact] | None
) -> TripletIteration:
    """Yield triplets, first those of a search on the Gram matrix, then those of `golub_kahan`.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        View of a sparse matrix with m >= n.
    request : Request
        With that matrix.
    aim : Aim
        What is wanted.
    size : Sizes
        Of block and basis.
    start : ndarray, shape (n, 1), or None
        First direction.

    Yields
    ------
    TripletState
        Certified from the first product with the basis on.
    """
    core, k = request.A, aim.k
    assert isinstance(core, SparseBlock)
    gram = GramBlock(core)
    n = A.shape[1]
    plan = Plan(
        selection=Selection("LA", k),
        block=size.block,
        capacity=min(n, max(2 * k + 4 + 4 * size.block, k + _ROOM)),
        tol=aim.residual,
        verify=aim.verify,
        tried=BLOCK_TRIED if k <= _MOST_TRIED else 0,
        row_cost=gram.nnz / n,
        keeps_products=False,
        squares=True,
    )
    search = BlockLanczos(Standard(gram, 0.0, A.dtype), plan, request.rng)
    with single_threaded_blas():
        states = filtered_states(search, start)
        state = next(states)
        while not (state.certified or _are_lost(state, gram)):
            assert isinstance(state, RitzState)
            stop = False
            if state.theta is not None:
                stop = yield _looked_at(A, aim, state)
            state = states.send(stop)
        states.close()
        assert isinstance(state, RitzState)
        assert state.theta is not None
        basis = GolubKahan(A, state.x[:, :0], size.capacity, request.rng)
        basis.adopt(state.x)
        least = float(np.sqrt(max(float(state.theta.min()), 0.0)))
        searched = state.verified and least >= _CLEAR * basis.norm
        yield from golub_kahan(basis, aim, size.block, searched=searched, steps=gram.n_passes)


def _are_lost(state: State, gram: GramBlock) -> bool:
    """Tell whether A is the better one to go on with.

    That is where squares of wanted values are not known to half of their digits, or a cluster takes
    restart after restart.
    """
    assert isinstance(state, RitzState)
    if state.theta is None:
        return False
    least = float(np.sqrt(np.finfo(gram.dtype).eps) * state.theta.max())
    small = bool(state.theta.min() <= least)
    return state.n_iter >= _MOST_RESTARTS or (small and gram.n_matvec >= _SETTLED)


def _looked_at(A: BlockOperator, aim: Aim, state: RitzState) -> TripletState:
    assert state.theta is not None
    assert state.residual_norm is not None
    sigma = np.sqrt(np.maximum(state.theta, 0.0))
    norm = float(sigma.max())
    return TripletState(
        n_iter=0,
        error=max(state.error, float(np.nextafter(aim.residual, 1))),
        certified=False,
        form=lambda: state.x,
        form_rest=lambda X: _triplets(A, X),
        sigma=sigma,
        residuals=from_squares(state.residual_norm[: aim.k], sigma, norm),
        norm=norm,
    )


def _triplets(A: BlockOperator, X: NDArray[np.inexact]) -> Triplets:
    U, R = np.linalg.qr(A.product(X))
    P, sigma, QH = np.linalg.svd(R)
    return Triplets(U @ P, sigma, X @ QH.conj().T, None)
