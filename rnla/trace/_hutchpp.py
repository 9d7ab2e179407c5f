"""Hutch++: the trace of a randomized SVD, debiased by Hutchinson's estimator on what it leaves.

R. A. Meyer, C. Musco, C. Musco, D. P. Woodruff, "Hutch++: optimal stochastic trace estimation",
SOSA 2021, 142-155.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.trace._assumptions import check_products
from rnla.trace._basis import Basis, numerical_rank
from rnla.trace._estimate import honest_stderr, mean_and_stderr
from rnla.trace._input import BLOCK, WIDE_BLOCK, Operand
from rnla.trace._nystrom import form_of, product_of_columns
from rnla.trace._rounds import Budget, Round, norm, nothing_left, rounding_floor
from rnla.trace._vectors import VectorStream, column_dots, column_norms


def hutchpp_rounds(
    operand: Operand,
    vectors: VectorStream,
    resphere: bool,
    budget: Budget,
    sketch_size: int | None,
) -> Iterator[Round]:
    """Yield one round: ``tr(Q* A Q)`` plus the mean of ``x* A x`` over projected test vectors.

    Parameters
    ----------
    operand : Operand
        The matrix.
    vectors : VectorStream
        Test vectors.
    resphere : bool
        Whether their projections get the length of vectors of the complement.
    budget : Budget
        Products to make.
    sketch_size : int or None
        Columns of Q; None: a third of the products.

    Yields
    ------
    Round
        Exact where A has smaller rank than the sketch has columns, and samples confirm it.
    """
    n = operand.shape[1]
    k, rest = split(budget.left(0), sketch_size)
    value: Any = 0.0
    size = 0.0
    Q = np.empty((n, 0), operand.dtype)
    rank = k
    if k:
        basis = Basis(n, operand.dtype)
        Y = operand.product(vectors.columns(0, k))
        size = norm(Y) / np.sqrt(k)
        Q = basis.extend(Y)
        del Y
        Z = operand.product(Q)
        check_products(operand, Q, Z)
        value = column_dots(Q, Z).sum().item()
        del Z
        value = value.real if operand.hermitian else value
        rank = numerical_rank(basis.R, float(np.finfo(operand.dtype).eps))
    floor = rounding_floor(operand, size)
    samples, sizes = residual_forms(operand, Q, vectors.other(1), 0, rest, resphere, floor)
    left, stderr = mean_and_stderr(samples)
    size = size if k else norm(sizes) / np.sqrt(len(sizes))
    floor = rounding_floor(operand, size)
    stderr = honest_stderr(stderr, floor, rest, _degree(sizes, floor), vectors.kind)
    exact = rank < k and vectors.generic and nothing_left(samples, floor)
    yield Round(
        value=value + left,
        stderr=stderr if rest > 1 or not exact else abs(left),
        degrees_of_freedom=len(samples) - 1,
        floor=floor,
        exact=exact,
        samples=value + samples,
        method=f"hutchpp, exact (rank {rank})" if exact else "hutchpp",
    )


def _degree(sizes: NDArray[np.float64], floor: float) -> int:
    """Return the degree of residuals in the signs: products that vanish are known row by row."""
    return 1 if np.max(sizes, initial=0.0) <= floor else 2


def split(matvecs: int, sketch_size: int | None) -> tuple[int, int]:
    """Return how many columns the sketch gets, at two products each, and the products left over."""
    k = matvecs // 3 if sketch_size is None else sketch_size
    if 2 * k >= matvecs:
        raise ValueError(
            "`sketch_size` must be less than half of `matvecs`, as the rest of the products goes "
            f"to the residual, got {k} of {matvecs}"
        )
    return k, matvecs - 2 * k


def residual_forms(
    operand: Operand,
    Q: NDArray[Any],
    vectors: VectorStream,
    start: int,
    stop: int,
    resphere: bool,
    floor: float,
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return ``x_i* A x_i`` and ``||(I - Q Q*) A x_i||`` for projected test vectors.

    Parameters
    ----------
    operand : Operand
        The matrix.
    Q : ndarray, shape (n, k)
        Orthonormal columns; ``x = (I - Q Q*) w``.
    vectors : VectorStream
        The test vectors w, independent of Q.
    start, stop : int
        Which of them.
    resphere : bool
        Whether the forms, not the norms, are those of x at the length ``sqrt(n - k)``.
    floor : float
        Rounding error of a form.

    Returns
    -------
    forms : ndarray, shape (stop - start,)
        Real where A is Hermitian.
    sizes : ndarray, shape (stop - start,)
        The norms.
    """
    n, k = Q.shape
    forms, sizes = [], []
    # Blocks of one width: the bits of the projection depend on it.
    for low in range(start, stop, WIDE_BLOCK):
        X = vectors.columns(low, min(stop, low + WIDE_BLOCK))
        project(X, Q)
        Y = operand.product(X)
        check_products(operand, X, Y, floor)
        form = column_dots(X, Y)
        if resphere:
            form = form * ((n - k) / np.maximum(column_norms(X) ** 2, np.finfo(float).tiny))
        forms.append(form)
        if k:
            Y -= Q @ (Q.conj().T @ Y)
        sizes.append(column_norms(Y))
    values = np.concatenate(forms)
    return values.real if operand.hermitian else values, np.concatenate(sizes)


def project(X: NDArray[Any], Q: NDArray[Any]) -> None:
    """Take the components along Q out of X, twice against rounding."""
    for _ in range(2 if Q.shape[1] else 0):
        X -= Q @ (Q.conj().T @ X)


def na_hutchpp_rounds(operand: Operand, vectors: VectorStream, budget: Budget) -> Iterator[Round]:
    """Yield one round of Hutch++ whose products do not depend on each other.

    With independent blocks S, R, G of test vectors, a quarter, a half and a quarter of the
    products, the low-rank part is ``A R (S* A R)^+ (A S)*``, which needs ``A = A*``.

    Parameters
    ----------
    operand : Operand
        The matrix.
    vectors : VectorStream
        Test vectors.
    budget : Budget
        Products to make, four at least.

    Yields
    ------
    Round
        The estimate.
    """
    s = budget.left(0)
    if s < 4:
        raise ValueError(f"`matvecs` must be at least 4 for method='na_hutchpp', got {s}")
    k, m = s // 4, s // 2
    S, R = vectors.columns(0, k), vectors.other(1).columns(0, m)
    W, Z = operand.product(S), operand.product(R)
    eps = float(np.finfo(operand.dtype).eps)
    core = product_of_columns(S, Z)
    whole = np.block(
        [[product_of_columns(S, W), core], [product_of_columns(R, W), product_of_columns(R, Z)]]
    )
    size = np.hypot(norm(S), norm(R)) * np.hypot(norm(W), norm(Z))
    form = form_of(whole, size, eps, "na_hutchpp")
    # (S* Z)^+ as a product of two factors, small singular values left out.
    U, sigma, Vh = np.linalg.svd(core, full_matrices=False)
    cutoff = m * eps * np.max(sigma, initial=0.0)
    if form.skew is not None:
        cutoff = max(cutoff, form.noise)
    rank = int(np.sum(sigma > cutoff))
    left = (Z @ (Vh[:rank].conj().T / sigma[:rank]).astype(operand.dtype)).astype(operand.dtype)
    right = W @ U[:, :rank].astype(operand.dtype)
    value = column_dots(right, left).sum().real.item()
    samples, sizes = [], []
    for low in range(0, s - k - m, BLOCK):
        G = vectors.other(2).columns(low, min(s - k - m, low + BLOCK))
        Y = operand.product(G)
        check_products(operand, G, Y)
        Y -= left @ (right.conj().T @ G)
        samples.append(column_dots(G, Y).real)
        sizes.append(column_norms(Y))
    forms = np.concatenate(samples)
    rest, stderr = mean_and_stderr(forms)
    floor = rounding_floor(operand, norm(Z) / np.sqrt(m))
    degree = _degree(np.concatenate(sizes), floor)
    yield Round(
        value=value + rest,
        stderr=honest_stderr(stderr, floor, len(forms), degree, vectors.kind),
        degrees_of_freedom=len(forms) - 1,
        floor=floor,
        samples=value + forms,
        method="na_hutchpp",
    )
