"""A Chebyshev polynomial of a sparse matrix: Lanczos steps that cost many products, but few dots.

Where a product costs less than to orthogonalise its result, it pays to run Lanczos on ``p(A)``. The
polynomial grows beyond the interval of unwanted eigenvalues and keeps the order of what lies there,
so its largest eigenvalues belong to the wanted ones whatever the interval was; they converge in
fewer steps, and the basis needs no restart. What comes out is a start, no more: pairs are formed,
judged and verified with A itself.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Iteration, State
from rnla.eigen._chebyshev import Chebyshev, Filtered
from rnla.eigen._complement import Sharpener
from rnla.eigen._density import spectral_density
from rnla.eigen._lanczos import BlockLanczos
from rnla.eigen._plan import Plan, RitzState
from rnla.eigen._select import Selection
from rnla.eigen._verify import Progress
from rnla.linalg.gram import GramBlock
from rnla.linalg.orth import random_block

# Vectors beside the wanted ones that go along.
_GUARD = 4
# By how much to overestimate the number of values outside of the interval, and how often to double
# that: an estimate too low hides wanted values, one too high costs little.
_SURPLUS, _ATTEMPTS = 2.0, 4
# Degrees: odd where an eigenvalue beyond the far end must not look wanted, even for both ends.
_ODD, _EVEN = 7, 6
# The same for a Gram matrix, of which a product costs two.
_OF_SQUARES = 5
_MARGIN, _LEAST = 0.01, 1e-3
# Wanted magnitudes are at one end where the other one is nearer to zero than this part of them.
_ONE_SIDED = 0.5
# The largest value of the polynomial.
_RANGE = 1e9
# By the slope of the polynomial residuals in A follow from those in p(A).
_SLOPE = 3.5
# Steps for which a basis has room, lest restarts spend what it has lost of its orthogonality; fewer
# of wide blocks.
_STEPS, _STEPS_WIDE = 128, 50
# Numbers in a basis, beyond which restarts are cheaper than memory.
_MOST_ENTRIES = 1 << 26
# The size of a basis, in units of k, that shows whether values are hidden.
_PATIENCE = 2.5
# The roundoff of which half of the digits are enough. In single precision pairs stayed where half
# of the digits of the largest value put them.
_HALVED = 1e-10
# With so many products of a column the matrix itself is tried first, and as many more for each
# vector wanted: with half of them if that has not brought this part of the digits.
_TRIED, _TRIED_SQUARES, _TRIED_MORE, _PART_OF_DIGITS = 100, 150, 6, 0.25
# Eigenvalues that a wanted Ritz value may stand for, after so many products: where they are many,
# it will take long until they lie apart.
_CROWD, _FIRST, _FIRST_MORE = 4.0, 30, 2
# Vectors of a basis in which trials with squares end where the spectrum is easy, for each wanted
# one as well.
_EASY, _EASY_MORE = 50, 4
# Vectors up to which trials pay that are no chains.
_FEW, _FEW_SQUARES = 7, 20
# Columns to which a block is widened where it hid copies of an eigenvalue.
_MOST_COLUMNS = 16
# Columns where the first eigenvalue has many copies: its Ritz values then differ by less than this
# part of their distance to the next one.
_MOST_COPIES, _ALIKE = 64, 0.3


class _Found(NamedTuple):
    """Vectors that a polynomial has found.

    Too few of their values may lie outside of its interval (`hidden`), and the first may seem to be
    copies, of which a block sees as many as it has columns (`copied`).
    """

    vectors: NDArray[Any]
    hidden: bool
    copied: bool


def filtered_states(search: BlockLanczos, start: NDArray[Any] | None) -> Iteration:
    """Iterate like a search that starts from vectors which a polynomial has found.

    Where the wanted eigenvalues begin the density of the spectrum tells. It is an estimate: where
    wanted ones turn out to lie in the interval, another one is tried that ends earlier.

    Parameters
    ----------
    search : BlockLanczos
        For an unshifted sparse matrix; "LA", "SA" or "LM" is wanted.
    start : ndarray, shape (n, p), or None
        First directions.

    Yields
    ------
    RitzState
        Those of the search.
    """
    plan, main, count = search.plan, search.problem.main, search.k + _GUARD
    trial = _trial(search, start)
    if trial is not None:
        state = yield from _tried(trial, start)
        if state is None:
            return
        search.noise, start = trial.noise, state.x
    density = spectral_density(search.problem, plan.selection, search.rng)
    theta = density.ritz.theta
    near = density.ritz.vectors(slice(0, min(count, len(theta))))
    first = near if start is None else np.hstack([near, start.astype(near.dtype)])
    hidden, columns, copies = False, 0, 0.0
    for attempt in range(_ATTEMPTS):
        edge = density.edge(_SURPLUS * 2**attempt * count + copies)
        which = _side(plan.selection.which, theta, edge)
        if which == "SA" and plan.selection.which == "LM":
            edge = -edge
        polynomial = _polynomial(main, which, theta, edge)
        if polynomial is None:
            break
        found = _found(search, polynomial, first, abs(edge), columns)
        first = near = found.vectors
        hidden = found.hidden
        if not hidden:
            break
        if found.copied or attempt == _ATTEMPTS - 2:
            # Only as many columns as vectors are wanted see enough of the copies. The last attempt
            # supposes them: Ritz values that have not converged do not show them.
            columns, copies = min(count, _MOST_COPIES), density.leading
    if columns and which == "LM":
        # An even polynomial mixes copies of both signs: with A they can be told apart.
        near = np.hstack([near, main.product(near)])
    # What the operator rounds only a Lanczos relation tells.
    search.noise = density.noise
    del density, first
    if polynomial is None or hidden:
        yield from search.states(near)
    else:
        yield from _widened(search, polynomial, near, abs(edge))


def _widened(
    search: BlockLanczos, polynomial: Chebyshev, near: NDArray[Any], size: float
) -> Iteration:
    """Iterate like a search, and like one with a wider block where that has missed a copy."""
    while True:
        room = (search.plan.capacity - search.k) // 4
        width = min(2 * search.plan.block, room, _MOST_COLUMNS)
        search.resumes = width <= search.plan.block
        yield from search.states(near)
        if not search.missed or search.resumes:
            return
        wanted = search.basis.ritz(search.plan.selection)
        near = wanted.vectors(slice(0, search.k + _GUARD))
        before, plan = search, replace(search.plan, block=width)
        search = BlockLanczos(before.problem, plan, before.rng)
        search.builds, search.noise = before.builds, before.noise
        near = _found(search, polynomial, near, size).vectors


def _trial(search: BlockLanczos, start: NDArray[Any] | None) -> BlockLanczos | None:
    """Return a search with the matrix, unless it is not to be tried or takes too much memory.

    Fewer columns take fewer products, and copies that they do not see the search of the complement
    does.
    """
    plan = search.plan
    if not plan.tried:
        return None
    block = plan.block if start is not None and start.shape[1] > plan.tried else plan.tried
    n, wanted = search.problem.n, min(search.k + _most_products(plan), search.problem.n)
    capacity = max(plan.capacity, min(wanted, _MOST_ENTRIES // n))
    # Restarts spend what a basis has lost of its orthogonality: there has to be room without them.
    room = min(wanted, _EASY + _EASY_MORE * search.k) if plan.squares else wanted
    halved = capacity >= room and search.eps < _HALVED
    chained = block == 1 and search.problem.factors is not None
    if search.k > (_FEW_SQUARES if plan.squares else _FEW) and not (halved and chained):
        return None
    plan = replace(
        plan,
        block=block,
        capacity=capacity,
        # Triplets are formed and judged anew in any case.
        estimates=plan.squares,
        semiorthogonal=halved and plan.squares,
        polishes=halved and chained and not plan.squares,
    )
    trial = BlockLanczos(search.problem, plan, search.rng)
    trial.resumes = not (halved and plan.squares)
    return trial


def _tried(
    trial: BlockLanczos, start: NDArray[Any] | None
) -> Generator[State, bool | None, State | None]:
    """Go on with a trial while it has prospects.

    Returns the last state if the pairs are not found after a while, or some were missed and the
    basis is not for restarts.
    """
    states = trial.states(start)
    state = next(states)
    random = trial.plan.block == 1 and start is None
    while trial.searched or state.certified or not _is_hopeless(trial, state, random):
        stop = yield state
        try:
            state = states.send(bool(stop))
        except StopIteration:
            if not trial.missed or trial.resumes:
                return None
            break
    return state


def _is_hopeless(trial: BlockLanczos, state: State, random: bool) -> bool:
    """Tell whether a trial will not be done in time; it is told whether the start was random."""
    k, products = trial.k, trial.steps * trial.plan.block
    most = min(_most_products(trial.plan), trial.plan.capacity - 1)
    if not random:
        late = state.error > trial.tolerance**_PART_OF_DIGITS
        return products >= (most // 2 if late else most)
    crowded = trial.represented > _CROWD * (k + _CROWD)
    return products >= (_FIRST + _FIRST_MORE * k if crowded else most)


def _most_products(plan: Plan) -> int:
    return (_TRIED_SQUARES if plan.squares else _TRIED) + _TRIED_MORE * plan.selection.k


def _found(
    search: BlockLanczos, polynomial: Chebyshev, X: NDArray[Any], size: float, columns: int = 0
) -> _Found:
    """Return what Lanczos with a polynomial finds from combinations of X."""
    plan, k, dtype = search.plan, search.k, search.problem.dtype
    # From residuals in p(A) to those in A, relative to an eigenvalue of about this size.
    share = size * polynomial.degree / abs(_SLOPE * polynomial.radius)
    n, block = search.problem.n, max(plan.block, columns)
    narrow = 4 * k + _STEPS * plan.block
    room = max(narrow, min(4 * k + _STEPS_WIDE * block, n // 4))
    room = min(room, max(plan.capacity, _MOST_ENTRIES // n), n)
    second = replace(
        plan,
        selection=Selection("LA", k),
        block=block,
        capacity=room,
        tol=search.tolerance * min(1.0, share),
        verify=False,
        estimates=True,
        semiorthogonal=bool(np.finfo(dtype).eps < _HALVED),
        squares=False,
        row_cost=plan.row_cost * polynomial.degree,
    )
    finder = BlockLanczos(Filtered(polynomial, dtype), second, search.rng)
    hidden, progress = False, Progress()
    for state in finder.states(X @ random_block(search.rng, (X.shape[1], block), dtype)):
        assert isinstance(state, RitzState)
        inside = state.theta is not None and not state.theta.min() > 1
        hidden = inside and (state.n_iter > 0 or finder.basis.size >= _PATIENCE * k)
        if state.certified or hidden or progress.ended(state.n_iter, state.error):
            break
    sharpener = Sharpener(plan.selection, polynomial, second, finder.steps, search.rng)
    search.plan = replace(plan, sharpen=sharpener)
    # What is left over of a space makes a surrogate.
    count = plan.capacity - plan.block if plan.keeps_space else k + _GUARD
    count = min(count, finder.basis.size)
    # As they were judged: among equal values, those first that are settled.
    ritz = finder.basis.ritz(second.selection) if finder.judged is None else finder.judged[0]
    spread = ritz.theta[0] - ritz.theta[: block + 1]
    copied = len(spread) > block and bool(spread[block - 1] < _ALIKE * spread[block])
    return _Found(ritz.vectors(slice(0, count)), hidden, copied)


def _side(which: str, theta: NDArray[Any], edge: float) -> str:
    """Return the end where magnitudes beyond `edge` are, if it is one."""
    if which != "LM":
        return which
    if theta.min() > -_ONE_SIDED * edge:
        return "LA"
    return "SA" if theta.max() < _ONE_SIDED * edge else which


def _polynomial(main: Any, which: str, theta: NDArray[Any], edge: float) -> Chebyshev | None:
    """Return the polynomial that is small from `edge` to the other end of the Ritz values."""
    span = float(np.ptp(theta))
    if which == "LM":
        center, radius, degree = 0.0, abs(edge), _EVEN
    else:
        far = float(theta.min() if which == "LA" else theta.max())
        far += _MARGIN * (far - edge)
        center, radius = (edge + far) / 2, (edge - far) / 2
        degree = _OF_SQUARES if isinstance(main, GramBlock) else _ODD
    # Nothing stands out where the interval is no longer than rounding errors.
    if not abs(radius) > _LEAST * span:
        return None
    # What the largest value rounds must not drown the others.
    reach = np.arccosh(max(1.0, abs(float(theta[0]) - center) / abs(radius)))
    while degree > 1 and degree * reach > np.arccosh(_RANGE):
        degree -= 2
    return Chebyshev(main, center, radius, degree) if degree > 1 else None
