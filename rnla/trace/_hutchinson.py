"""Girard and Hutchinson's estimator, and its use for sequences of matrices.

A. Girard, "Un algorithme rapide pour le calcul de la trace de l'inverse d'une grande matrice",
1987; M. F. Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian
smoothing splines", 1989.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.trace._assumptions import check_products
from rnla.trace._estimate import Estimate, honest_stderr, mean_and_stderr
from rnla.trace._exact import exact_rounds
from rnla.trace._input import Operand
from rnla.trace._rounds import Budget, Round, norm, rounding_floor
from rnla.trace._vectors import VectorStream, column_dots, column_norms

_START = 16
# A round makes as many samples as the last one says it takes, and a few more, to end with it.
_MARGIN = 1.1
_GROWTH = 4
# From so many times the tolerance on, it does not matter how far.
_FAR = 1e8
_FAR_APART = 1e100


def hutchinson_rounds(operand: Operand, vectors: VectorStream, budget: Budget) -> Iterator[Round]:
    """Yield the mean of ``w* A w`` over more and more test vectors.

    Parameters
    ----------
    operand : Operand
        The matrix.
    vectors : VectorStream
        Test vectors.
    budget : Budget
        Products to make.

    Yields
    ------
    Round
        One; with a tolerance, as many as it takes, the last one exact where that is cheaper.
    """
    samples = np.empty(0)
    sizes = np.empty(0)
    used = operand.n_matvec
    target = _START if budget.adaptive else budget.left(0)
    while True:
        target = min(target, len(samples) + budget.left(operand.n_matvec - used))
        if target <= len(samples):
            return
        new, size = quadratic_forms(operand, vectors, len(samples), target)
        samples, sizes = np.concatenate([samples, new]), np.append(sizes, size)
        state = _mean(operand, samples, norm(sizes) / np.sqrt(len(samples)), vectors.kind)
        yield state
        wanted = np.ceil(_MARGIN * len(samples) * min(budget.gap(state, operand.unit), _FAR) ** 2)
        n = operand.shape[1]
        if wanted - len(samples) >= n and budget.left(operand.n_matvec - used) >= n:
            yield from exact_rounds(operand, "hutchinson, then exact (as cheap)")
            return
        target = int(max(len(samples) + 1, min(wanted, _GROWTH * len(samples))))


def quadratic_forms(
    operand: Operand, vectors: VectorStream, start: int, stop: int
) -> tuple[NDArray[Any], float]:
    """Return ``w_i* A w_i`` for i in start..stop-1, and the norm of all ``A w_i`` together."""
    samples, sizes = [], []
    for low in range(start, stop, operand.width):
        W = vectors.columns(low, min(stop, low + operand.width))
        Y = operand.product(W)
        check_products(operand, W, Y)
        samples.append(column_dots(W, Y))
        sizes.append(column_norms(Y))
    forms = np.concatenate(samples)
    return forms.real if operand.hermitian else forms, norm(np.concatenate(sizes))


def _mean(operand: Operand, samples: NDArray[Any], size: float, kind: str) -> Round:
    value, stderr = mean_and_stderr(samples)
    floor = rounding_floor(operand, size)
    # Zero products are known row by row.
    degree = 2 if size else 1
    return Round(
        value=value,
        stderr=honest_stderr(stderr, floor, len(samples), degree, kind),
        degrees_of_freedom=len(samples) - 1,
        floor=floor,
        samples=samples,
        method="hutchinson",
    )


def shift_rounds(
    operand: Operand, before: Operand, previous: Estimate, vectors: VectorStream, budget: Budget
) -> Iterator[Round]:
    r"""Yield ``c t + h(A - c B)``, t the estimate for the matrix B before, with the best shift c.

    With h the mean of l samples and v the variance of t, the variance ``c^2 v + (2 / l)
    ||A - c B||_F^2`` is least for ``c = <A, B> / (v l / 2 + ||B||_F^2)``. The inner products come
    from the samples themselves; for each one from the others, which keeps the mean unbiased.

    Parameters
    ----------
    operand, before : Operand
        A and B.
    previous : Estimate
        The estimate of tr(B).
    vectors : VectorStream
        Test vectors.
    budget : Budget
        Products to make, two for each test vector.

    Yields
    ------
    Round
        One; with a tolerance, as many as it takes.

    References
    ----------
    .. [1] P. Dharangutte, C. Musco, "Dynamic trace estimation", NeurIPS 2021.
    """
    n = operand.shape[1]
    inner, square, forms, forms_before, sizes = (np.empty(0) for _ in range(5))
    target = _START if budget.adaptive else budget.left(0) // 2
    while True:
        made = len(inner)
        target = min(target, made + budget.left(2 * made) // 2)
        if target <= made:
            return
        for low in range(made, target, operand.width):
            W = vectors.columns(low, min(target, low + operand.width))
            Y = operand.product(W)
            check_products(operand, W, Y)
            X = before.product(W)
            # Beside a matrix so much larger, the shift is zero.
            ratio = before.unit / operand.unit
            X = X * X.dtype.type(ratio if ratio < _FAR_APART else 0.0)
            operand.n_matvec += W.shape[1]
            sizes = np.append(sizes, column_norms(Y))
            inner = np.append(inner, column_dots(X, Y).real)
            square = np.append(square, column_dots(X, X).real)
            forms = np.append(forms, _real_if(operand.hermitian, column_dots(W, Y)))
            # The real part of tr(B) serves the trace of a Hermitian matrix.
            real = operand.hermitian or before.hermitian
            forms_before = np.append(forms_before, _real_if(real, column_dots(W, X)))
        floor = rounding_floor(operand, norm(sizes) / np.sqrt(len(sizes)))
        value = previous.value / operand.unit
        yield _shifted(
            inner,
            square,
            forms,
            forms_before,
            value=value.real if operand.hermitian else value,
            stderr=float(previous.stderr) / operand.unit,
            degrees_of_freedom=previous.degrees_of_freedom,
            floor=floor,
            kind=vectors.kind,
        )
        if len(inner) >= n and budget.left(2 * len(inner)) >= n:
            yield from exact_rounds(operand, "delta_shift, then exact (as cheap)")
            return
        target = 2 * len(inner)


def _shifted(
    inner: NDArray[np.float64],
    square: NDArray[np.float64],
    forms: NDArray[Any],
    forms_before: NDArray[Any],
    *,
    value: Any,
    stderr: float,
    degrees_of_freedom: float,
    floor: float,
    kind: str,
) -> Round:
    count = len(inner)
    others = max(count - 1, 1)
    variance = min(stderr, _FAR_APART) ** 2 * count / 2 if stderr < np.inf else np.inf
    numerator = (inner.sum() - inner) / others
    denominator = variance + (square.sum() - square) / others
    c = np.divide(numerator, denominator, out=np.zeros(count), where=denominator > 0)
    if count == 1 or not np.isfinite(variance):
        c[:] = 0.0
    samples = forms - c * forms_before
    mean, spread = mean_and_stderr(samples)
    shift = float(c.mean())
    # Where nothing has changed, products are known row by row.
    degree = 2 if np.any(samples) else 1
    spread = honest_stderr(spread, floor, count, degree, kind)
    inherited = abs(shift) * stderr if shift else 0.0
    return Round(
        value=mean + shift * value if shift else mean,
        stderr=float(np.hypot(spread, inherited)),
        degrees_of_freedom=_pooled(spread, count - 1, inherited, degrees_of_freedom),
        floor=floor,
        samples=samples,
        method=f"delta_shift(c={shift:.3g})",
    )


def _pooled(spread: float, own: float, inherited: float, before: float) -> float:
    """Return the degrees of freedom of the root of two squares, after Welch and Satterthwaite."""
    if inherited == 0 or np.isinf(spread):
        return own
    share = 1 / (1 + (spread / inherited) ** 2)
    return float(1 / (share**2 / before + (1 - share) ** 2 / own))


def _real_if(hermitian: bool, values: NDArray[Any]) -> NDArray[Any]:
    return values.real if hermitian else values
