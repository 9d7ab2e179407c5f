"""A Chebyshev polynomial of a sparse matrix: Lanczos steps that cost many products, but few dots.

Where a product costs less than to orthogonalise its result, it pays to run Lanczos on ``p(A)``. The
polynomial grows beyond the interval of unwanted eigenvalues and keeps the order of what lies there,
so its largest eigenvalues belong to the wanted ones whatever the interval was; they converge in
fewer steps, and the basis needs no restart. What comes out is a start, no more: pairs are formed,
judged and verified with A itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Iteration
from rnla.eigen._lanczos import BlockLanczos
from rnla.eigen._plan import RitzState
from rnla.eigen._problem import Standard
from rnla.eigen._select import Selection
from rnla.linalg.block import SparseBlock
from rnla.linalg.gram import GramBlock
from rnla.linalg.orth import random_block

# Vectors beside the wanted ones that go along.
_GUARD = 4
# Size of the first basis, in units of k.
_EXPLORED = 2.0
# Degrees: odd where an eigenvalue beyond the far end must not look wanted, even for both ends.
_ODD, _EVEN = 5, 4
# The same for a Gram matrix, of which a product costs two.
_OF_SQUARES = 3
_MARGIN, _LEAST = 0.01, 1e-3
# By the slope of the polynomial residuals in A follow from those in p(A).
_SLOPE = 3.5
# Numbers in a basis, beyond which restarts are cheaper than memory.
_MOST_ENTRIES = 1 << 26
# When to give up: soon, where wanted values are not outside of the interval after all.
_FEW_RESTARTS, _MANY_RESTARTS = 2, 50


@dataclass(frozen=True)
class Chebyshev:
    """``p(A) X = T_d((A - center I) / radius) X``.

    Attributes
    ----------
    main : SparseBlock or GramBlock
        A, Hermitian.
    center, radius : float
        Of the interval on which the polynomial stays within [-1, 1].
    degree : int
        Products with A for one with the polynomial.
    """

    main: SparseBlock | GramBlock
    center: float
    radius: float
    degree: int

    def __call__(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``p(A) X``.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            Any layout.

        Returns
        -------
        ndarray, shape (n, b)
            C-ordered.
        """
        before = np.ascontiguousarray(X)
        zero = np.zeros_like(before)
        now = self.main.product_minus(before, zero, 1 / self.radius, self.center)
        for _ in range(self.degree - 1):
            now, before = (
                self.main.product_minus(now, before, 2 / self.radius, self.center),
                now,
            )
        return now


class Filtered(Standard):
    """``OP = p(A)``.

    Parameters
    ----------
    polynomial : Chebyshev
        Of A.
    dtype : dtype
        Working precision.
    """

    is_original = False

    def __init__(self, polynomial: Chebyshev, dtype: Any) -> None:
        super().__init__(polynomial.main, 0.0, dtype)
        self.polynomial = polynomial

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        return self.polynomial(V)


def filtered_states(search: BlockLanczos, start: NDArray[Any] | None) -> Iteration:
    """Iterate like a search that starts from vectors which a polynomial has found.

    A first basis tells where the wanted eigenvalues begin: the Ritz value behind the last of them
    is no larger than its eigenvalue, so nothing wanted lies in the interval.

    Parameters
    ----------
    search : BlockLanczos
        For an unshifted sparse matrix; "LA", "SA" or "LM" is wanted.
    start : ndarray, shape (n, p), or None
        First directions.

    Yields
    ------
    RitzState
        Those of the first basis, then those of the search.
    """
    plan, k = search.plan, search.k
    first = replace(plan, capacity=int(_EXPLORED * k) + 8 * plan.block, verify=False)
    explorer = BlockLanczos(search.problem, first, search.rng)
    states = explorer.states(start)
    state = next(states)
    near: NDArray[Any] | None
    while not state.certified and not state.n_iter:
        state = states.send((yield state))
    if state.certified:
        near = state.x
    else:
        ritz = explorer.basis.ritz(plan.selection)
        polynomial = _polynomial(search.problem.main, plan.selection.which, ritz.theta, k + _GUARD)
        near = ritz.vectors(slice(0, k + _GUARD))
        if polynomial is not None:
            search.plan = replace(plan, sharpen=polynomial)
            near = _found(search, polynomial, near, abs(float(ritz.theta[k - 1])))
    # What the operator rounds only a Lanczos relation tells.
    search.noise = explorer.noise
    del explorer, states
    yield from search.states(start if near is None else near)


def _found(
    search: BlockLanczos, polynomial: Chebyshev, X: NDArray[Any], size: float
) -> NDArray[Any] | None:
    """Return what Lanczos with a polynomial finds from combinations of X, None if nothing."""
    plan, k, dtype = search.plan, search.k, search.problem.dtype
    # From residuals in p(A) to those in A, relative to an eigenvalue of about this size.
    share = size * polynomial.degree / abs(_SLOPE * polynomial.radius)
    n = search.problem.n
    room = min(4 * k + 50 * plan.block, max(plan.capacity, _MOST_ENTRIES // n), n)
    second = replace(
        plan,
        selection=Selection("LA", k),
        capacity=room,
        tol=search.tolerance * min(1.0, share),
        verify=False,
        estimates=True,
        row_cost=plan.row_cost * polynomial.degree,
    )
    finder = BlockLanczos(Filtered(polynomial, dtype), second, search.rng)
    for state in finder.states(X @ random_block(search.rng, (X.shape[1], plan.block), dtype)):
        if state.certified:
            break
        assert isinstance(state, RitzState)
        hidden = state.theta is not None and not state.theta.min() > 1
        if state.n_iter > (_FEW_RESTARTS if hidden else _MANY_RESTARTS):
            return None
    # What is left over of a space makes a surrogate.
    count = plan.capacity - plan.block if plan.keeps_space else X.shape[1]
    count = min(count, finder.basis.size)
    return finder.basis.ritz(second.selection).vectors(slice(0, count))


def _polynomial(main: Any, which: str, theta: NDArray[Any], count: int) -> Chebyshev | None:
    """Return the polynomial that is small on what Ritz values say is unwanted."""
    edge, span = float(theta[count - 1]), float(np.ptp(theta))
    if which == "LM":
        center, radius, degree = 0.0, abs(edge), _EVEN
    else:
        far = float(theta.min() if which == "LA" else theta.max())
        far += _MARGIN * (far - edge)
        center, radius = (edge + far) / 2, (edge - far) / 2
        degree = _OF_SQUARES if isinstance(main, GramBlock) else _ODD
    # Nothing stands out where the interval is no longer than rounding errors.
    return Chebyshev(main, center, radius, degree) if abs(radius) > _LEAST * span else None
