"""A whole least-squares solution in one call, for sizes where calls cost more than arithmetic."""

import math

from numba import njit

from rnla._kernels._jit import reduction_kernel

SOLVED = 0
DECLINED = 1


@njit(inline="always", error_model="numpy")
def _reflect(v, w):
    # w <- w - v (v^T w) / v[0], the reflector being I - v v^T / v[0].
    s = 0.0
    for i in range(v.shape[0]):
        s += v[i] * w[i]
    s /= v[0]
    for i in range(v.shape[0]):
        w[i] -= s * v[i]


@njit(inline="always", error_model="numpy")
def _condition(R, x, y):
    # Power iteration on R^T R and on its inverse, from below.
    n = R.shape[0]
    product = 1.0
    for inverse in range(2):
        for i in range(n):
            x[i] = 1.0
        largest = 0.0
        for _ in range(6):
            s = 0.0
            for i in range(n):
                s += x[i] * x[i]
            s = math.sqrt(s)
            for i in range(n):
                y[i] = x[i] / s
            if inverse:
                # y <- R^-T y, then x <- R^-1 y
                for i in range(n):
                    for k in range(i):
                        y[i] -= R[k, i] * y[k]
                    y[i] /= R[i, i]
            else:
                for i in range(n):
                    y[i] *= R[i, i]
                    for k in range(i + 1, n):
                        y[i] += R[i, k] * y[k]
            s = 0.0
            for i in range(n):
                s += y[i] * y[i]
            largest = max(largest, math.sqrt(s))
            if inverse:
                for i in range(n - 1, -1, -1):
                    x[i] = y[i]
                    for k in range(i + 1, n):
                        x[i] -= R[i, k] * x[k]
                    x[i] /= R[i, i]
            else:
                for i in range(n):
                    x[i] = 0.0
                    for k in range(i + 1):
                        x[i] += R[k, i] * y[k]
        product *= largest
    return product


@reduction_kernel
def solve_small(A, b, rcond, W, R, x, info):
    """Solve ``min ||b - A x||`` by Householder QR of the column-scaled matrix, and certify it.

    `A` (m, n) real with m >= n, `b` (m,); scratch `W` (n + 1, m) and `R` (n, n); results `x` (n,)
    and `info` (3 n + 3): residual norm, bound of the backward error, estimated condition number of
    the scaled matrix, then the scales and scratch. Return DECLINED for anything unusual: not finite, zero or of
    extreme size, numerically rank deficient.
    """
    m, n = A.shape
    squares = 0.0
    # Row j of W is column j of A, scaled by a power of two; the last row is b.
    for i in range(m):
        for j in range(n):
            W[j, i] = A[i, j]
        W[n, i] = b[i]
    for j in range(n):
        s = 0.0
        column = W[j]
        for i in range(m):
            s += column[i] * column[i]
        if not 1e-200 < s < 1e200:
            return DECLINED
        scale = math.ldexp(1.0, -math.frexp(math.sqrt(s))[1])
        squares += s * scale * scale
        info[j + 3] = scale
        for i in range(m):
            column[i] *= scale
    s = 0.0
    for i in range(m):
        s += b[i] * b[i]
    if not 1e-200 < s < 1e200:
        return DECLINED
    # Reflector k is I - v v^T / v[k] with v stored from W[k, k] on; R[k, k] beside it.
    for k in range(n):
        v = W[k, k:]
        s = 0.0
        for i in range(v.shape[0]):
            s += v[i] * v[i]
        if s == 0.0:
            return DECLINED
        alpha = -math.copysign(math.sqrt(s), v[0])
        R[k, k] = alpha
        v[0] = v[0] - alpha
        for i in range(v.shape[0]):
            v[i] /= -alpha
        for j in range(k + 1, n + 1):
            _reflect(v, W[j, k:])
    # R is upper triangular; its inverse, column by column, bounds the condition number.
    for j in range(n):
        for i in range(j):
            R[i, j] = W[j, i]
    norm = 0.0
    inverse_norm = 0.0
    for j in range(n):
        for i in range(j + 1):
            norm += R[i, j] * R[i, j]
    for j in range(n):
        for i in range(j, -1, -1):
            s = 1.0 if i == j else 0.0
            for k in range(i + 1, j + 1):
                s -= R[i, k] * x[k]
            x[i] = s / R[i, i]
        for i in range(j + 1):
            inverse_norm += x[i] * x[i]
    condition = math.sqrt(norm) * math.sqrt(inverse_norm)
    if not condition * rcond < 1.0:
        return DECLINED
    condition = _condition(R, info[3 + n : 3 + 2 * n], info[3 + 2 * n :])
    x_squares = 0.0
    for i in range(n - 1, -1, -1):
        s = W[n, i]
        for k in range(i + 1, n):
            s -= R[i, k] * x[k]
        x[i] = s / R[i, i]
    for i in range(n):
        x_squares += x[i] * x[i]
        x[i] *= info[i + 3]
    # The certificate, from a residual formed anew.
    r = W[n]
    r_squares = 0.0
    for i in range(m):
        s = b[i]
        row = A[i]
        for j in range(n):
            s -= row[j] * x[j]
        r[i] = s
        r_squares += s * s
    g_squares = 0.0
    for j in range(n):
        R[0, j] = 0.0
    for i in range(m):
        row = A[i]
        for j in range(n):
            R[0, j] += row[j] * r[i]
    for j in range(n):
        g_squares += (info[j + 3] * R[0, j]) ** 2
    for k in range(n):
        _reflect(W[k, k:], r[k:])
    inside = 0.0
    for k in range(n):
        inside += r[k] * r[k]
    # Two upper bounds of the Karlson-Walden estimate: nu = 0, and A^H A = 0.
    error = math.sqrt(g_squares / r_squares) if r_squares > 0.0 else 0.0
    if r_squares > 0.0 and x_squares > 0.0:
        error = min(error, math.sqrt(inside / x_squares))
    info[0] = math.sqrt(r_squares)
    info[1] = error / math.sqrt(squares)
    info[2] = condition
    return SOLVED
