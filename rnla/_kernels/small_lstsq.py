"""A whole least-squares solution in one call, for sizes where calls cost more than arithmetic."""

import math

from numba import njit

from rnla._kernels._jit import reduction_kernel

SOLVED = 0
DECLINED = 1

_helper = njit(inline="always", error_model="numpy")


@_helper
def _squares(v):
    s = 0.0
    for i in range(v.shape[0]):
        s += v[i] * v[i]
    return s


@_helper
def _reflect(v, w):
    # w <- w - v (v^T w) / v[0], the reflector being I - v v^T / v[0].
    s = 0.0
    for i in range(v.shape[0]):
        s += v[i] * w[i]
    s /= v[0]
    for i in range(v.shape[0]):
        w[i] -= s * v[i]


@_helper
def _load(A, b, W, scale):
    # Row j of W becomes column j of A scaled by a power of two, the last row b. Return the squared
    # norm of the scaled matrix, 0 if a column or b is zero, extreme or not finite.
    m, n = A.shape
    for i in range(m):
        for j in range(n):
            W[j, i] = A[i, j]
        W[n, i] = b[i]
    total = 0.0
    for j in range(n + 1):
        column = W[j]
        s = _squares(column)
        if not 1e-200 < s < 1e200:
            return 0.0
        if j < n:
            scale[j] = math.ldexp(1.0, -math.frexp(math.sqrt(s))[1])
            total += s * scale[j] * scale[j]
            for i in range(m):
                column[i] *= scale[j]
    return total


@_helper
def _load_rows(A, b, W, scale):
    # Row i of W becomes row i of A scaled by a power of two; the last one is left over. Return the
    # squared norm of the scaled matrix, 0 if a row or b is zero, extreme or not finite.
    m, n = A.shape
    total = 0.0
    W[m] = 0.0
    if not 1e-200 < _squares(b) < 1e200:
        return 0.0
    for i in range(m):
        s = _squares(A[i])
        if not 1e-200 < s < 1e200:
            return 0.0
        scale[i] = math.ldexp(1.0, -math.frexp(math.sqrt(s))[1])
        total += s * scale[i] * scale[i]
        for j in range(n):
            W[i, j] = A[i, j] * scale[i]
    return total


@_helper
def _factor(W, R):
    # Householder QR of the rows of W, reflector k in W[k, k:]; False if a column vanishes.
    n = R.shape[0]
    for k in range(n):
        v = W[k, k:]
        s = _squares(v)
        if s == 0.0:
            return False
        alpha = -math.copysign(math.sqrt(s), v[0])
        v[0] -= alpha
        for i in range(v.shape[0]):
            v[i] /= -alpha
        for j in range(k + 1, n + 1):
            _reflect(v, W[j, k:])
        R[k, k] = alpha
        for i in range(k):
            R[i, k] = W[k, i]
    return True


@_helper
def _solve_upper(R, x, size):
    for i in range(size - 1, -1, -1):
        s = x[i]
        for k in range(i + 1, size):
            s -= R[i, k] * x[k]
        x[i] = s / R[i, i]


@_helper
def _condition_bound(R, x):
    # Frobenius norm of R times that of its inverse, formed column by column.
    n = R.shape[0]
    norm = 0.0
    inverse_norm = 0.0
    for j in range(n):
        for i in range(j + 1):
            norm += R[i, j] * R[i, j]
            x[i] = 0.0
        x[j] = 1.0
        _solve_upper(R, x, j + 1)
        inverse_norm += _squares(x[: j + 1])
    return math.sqrt(norm) * math.sqrt(inverse_norm)


@_helper
def _multiply(R, x, y):
    # y <- R y, then x <- R^T y; return the norm of R y.
    n = R.shape[0]
    for i in range(n):
        y[i] *= R[i, i]
        for k in range(i + 1, n):
            y[i] += R[i, k] * y[k]
    for i in range(n):
        x[i] = 0.0
        for k in range(i + 1):
            x[i] += R[k, i] * y[k]
    return math.sqrt(_squares(y))


@_helper
def _divide(R, x, y):
    # y <- R^-T y, then x <- R^-1 y; return the norm of R^-T y.
    n = R.shape[0]
    for i in range(n):
        for k in range(i):
            y[i] -= R[k, i] * y[k]
        y[i] /= R[i, i]
        x[i] = y[i]
    _solve_upper(R, x, n)
    return math.sqrt(_squares(y))


@_helper
def _condition(R, x, y):
    # Power iteration for the norms of R and of its inverse, from below.
    product = 1.0
    for inverse in range(2):
        x[:] = 1.0
        largest = 0.0
        for _ in range(6):
            length = math.sqrt(_squares(x))
            for i in range(R.shape[0]):
                y[i] = x[i] / length
            norm = _divide(R, x, y) if inverse else _multiply(R, x, y)
            largest = max(largest, norm)
        product *= largest
    return product


@_helper
def _gradient(A, b, x, r, g):
    # r <- b - A x and g <- A^T r.
    g[:] = 0.0
    for i in range(A.shape[0]):
        row = A[i]
        s = b[i]
        for j in range(row.shape[0]):
            s -= row[j] * x[j]
        r[i] = s
        for j in range(row.shape[0]):
            g[j] += row[j] * s


@reduction_kernel
def solve_small(A, b, rcond, W, R, x, info):
    """Solve ``min ||b - A x||`` by Householder QR of the column-scaled matrix, and certify it.

    `A` (m, n) real with m >= n, `b` (m,); scratch `W` (n + 1, m) and `R` (n, n); results `x` (n,)
    and `info` (3 n + 3): residual norm, bound of the backward error, estimated condition number
    of the scaled matrix, then the scales and scratch. Return DECLINED for anything unusual: not
    finite, zero or of extreme size, numerically rank deficient.
    """
    n = A.shape[1]
    scale = info[3 : 3 + n]
    g = info[3 + n : 3 + 2 * n]
    total = _load(A, b, W, scale)
    if total == 0.0 or not _factor(W, R) or not _condition_bound(R, x) * rcond < 1.0:
        return DECLINED
    info[2] = _condition(R, g, info[3 + 2 * n :])
    for i in range(n):
        x[i] = W[n, i]
    _solve_upper(R, x, n)
    x_squares = _squares(x)
    for i in range(n):
        x[i] *= scale[i]
    r = W[n]
    _gradient(A, b, x, r, g)
    r_squares = _squares(r)
    for i in range(n):
        g[i] *= scale[i]
    for k in range(n):
        _reflect(W[k, k:], r[k:])
    # Two upper bounds of the Karlson-Walden estimate, without A^H A and without nu: the latter
    # needs R^-T A^T r, which is the leading part of Q^T r.
    error = 0.0
    if r_squares > 0.0:
        error = math.sqrt(_squares(g) / r_squares)
        if x_squares > 0.0:
            error = min(error, math.sqrt(_squares(r[:n]) / x_squares))
    info[0] = math.sqrt(r_squares)
    info[1] = error / math.sqrt(total)
    return SOLVED


@reduction_kernel
def solve_small_wide(A, b, rcond, W, R, x, info):
    """Find the x of minimum norm with ``A x = b`` by Householder QR of ``A^T D``, and certify it.

    `A` (m, n) real with m < n, `b` (m,); scratch `W` (m + 1, n) and `R` (m, m); results `x` (n,)
    and `info` (3 m + 3): residual norm, backward error, estimated condition number of ``D A``, then
    the scales D and scratch. Return DECLINED as `solve_small` does.
    """
    m, n = A.shape
    scale = info[3 : 3 + m]
    w = info[3 + m : 3 + 2 * m]
    total = _load_rows(A, b, W, scale)
    if total == 0.0 or not _factor(W, R) or not _condition_bound(R, w) * rcond < 1.0:
        return DECLINED
    info[2] = _condition(R, w, info[3 + 2 * m :])
    # x = Q R^-T D b, and w = R^-1 R^-T D b are the multipliers: x = A^T D w.
    x[m:] = 0.0
    for i in range(m):
        w[i] = scale[i] * b[i]
    _divide(R, x[:m], w)
    for i in range(m):
        x[i], w[i] = w[i], x[i]
    for k in range(m - 1, -1, -1):
        _reflect(W[k, k:], x[k:])
    if not 1e-200 < _squares(x) < 1e200 or not 1e-200 < _squares(w) < 1e200:
        return DECLINED
    residual = 0.0
    scaled_residual = 0.0
    distance = W[m]
    distance[:] = x
    for i in range(m):
        row = A[i]
        s = b[i]
        for j in range(n):
            s -= row[j] * x[j]
        residual += s * s
        scaled_residual += (scale[i] * s) ** 2
        y = scale[i] * w[i]
        for j in range(n):
            distance[j] -= row[j] * y
    squares = 0.0
    if scaled_residual > 0.0:
        squares += scaled_residual / _squares(x)
    if _squares(distance) > 0.0:
        squares += _squares(distance) / _squares(w)
    info[0] = math.sqrt(residual)
    info[1] = math.sqrt(squares / total)
    return SOLVED
