"""Steps of the Lanczos process with a sparse matrix, by all threads in turns of one kernel."""

import numpy as np

from rnla._kernels._atomic import add, exchange, load
from rnla._kernels._jit import kernel, reduction_kernel

# Counters: parts taken, parts done, turns complete, and the step that needs care. Each is on a
# cache line of its own.
_TAKEN, _DONE, _COMPLETE, STOPPED, COUNTERS = 0, 8, 16, 24, 32
_0, _1 = np.uintp(0), np.uintp(1)
# Turns of a step with one factor, and rows of a vector that stay in the cache meanwhile.
_TURNS, _PIECE = 4, 2048
# What is known of inner products: up to which they may stay, those of vectors just projected,
# errors of products relative to A, the size of A, up to which vector the step before had lost as
# much, and the largest change that the recurrence has told.
THRESHOLD, PROJECTED, ERRORS, SIZE, SUSPECT, _CHANGE, KNOWN = 0, 1, 2, 3, 4, 5, 6
# The part of a product's length below which what is left of it is not known from its dots.
_CANCELLED = 1e-4


@kernel
def _multiply(A, start, stop, x, out):
    """Write some rows of ``A @ x`` to `out`; unsigned indices spare the test for negative ones."""
    indptr, indices, data = A
    for i in range(start, stop):
        row = np.uintp(i)
        p, end = np.uintp(indptr[row]), np.uintp(indptr[row + _1])
        s = x[_0] - x[_0]
        while p < end:
            s += data[p] * x[np.uintp(indices[p])]
            p += _1
        out[row] = s


@reduction_kernel
def _dot(v, w):
    s = w[0] - w[0]
    for i in range(w.shape[0]):
        s += v[i] * w[i]
    return s


@reduction_kernel
def _four_dots(a, b, c, d, w):
    p = q = r = s = w[0] - w[0]
    for i in range(w.shape[0]):
        x = w[i]
        p += a[i] * x
        q += b[i] * x
        r += c[i] * x
        s += d[i] * x
    return p, q, r, s


@kernel
def _add_dots(V, first, last, w, start, stop, sums):
    """Add the parts of ``v_m . w`` that some rows make to `sums`, for m from `first` to `last`."""
    x, m = w[start:stop], first
    while m + 3 < last:
        a, b = V[m, start:stop], V[m + 1, start:stop]
        c, d = V[m + 2, start:stop], V[m + 3, start:stop]
        p, q, r, s = _four_dots(a, b, c, d, x)
        k = m - first
        sums[k] += p
        sums[k + 1] += q
        sums[k + 2] += r
        sums[k + 3] += s
        m += 4
    while m < last:
        sums[m - first] += _dot(V[m, start:stop], x)
        m += 1


@reduction_kernel
def _four_dots_of_two(a, b, c, d, w, u):
    p = q = r = s = e = f = g = h = w[0] - w[0]
    for i in range(w.shape[0]):
        x, y = w[i], u[i]
        p += a[i] * x
        q += b[i] * x
        r += c[i] * x
        s += d[i] * x
        e += a[i] * y
        f += b[i] * y
        g += c[i] * y
        h += d[i] * y
    return p, q, r, s, e, f, g, h


@kernel
def _add_dots_of_two(V, first, last, w, u, start, stop, sums, others):
    """Add the parts of the dots of w to `sums`, of u to `others`, in one reading of V."""
    x, y, m = w[start:stop], u[start:stop], first
    while m + 3 < last:
        a, b = V[m, start:stop], V[m + 1, start:stop]
        c, d = V[m + 2, start:stop], V[m + 3, start:stop]
        p, q, r, s, e, f, g, h = _four_dots_of_two(a, b, c, d, x, y)
        k = m - first
        sums[k] += p
        sums[k + 1] += q
        sums[k + 2] += r
        sums[k + 3] += s
        others[k] += e
        others[k + 1] += f
        others[k + 2] += g
        others[k + 3] += h
        m += 4
    while m < last:
        sums[m - first] += _dot(V[m, start:stop], x)
        others[m - first] += _dot(V[m, start:stop], y)
        m += 1


@kernel
def _subtract_four(w, a, b, c, d, p, q, r, s):
    for i in range(w.shape[0]):
        w[i] -= p * a[i] + q * b[i] + r * c[i] + s * d[i]


@kernel
def _subtract_one(w, a, p):
    for i in range(w.shape[0]):
        w[i] -= p * a[i]


@kernel
def _subtract(V, first, last, h, w, start, stop):
    """Subtract ``sum_m h_m v_m`` from some rows of w, for m from `first` to `last`."""
    x, m = w[start:stop], first
    while m + 3 < last:
        a, b = V[m, start:stop], V[m + 1, start:stop]
        c, d = V[m + 2, start:stop], V[m + 3, start:stop]
        k = m - first
        _subtract_four(x, a, b, c, d, h[k], h[k + 1], h[k + 2], h[k + 3])
        m += 4
    while m < last:
        _subtract_one(x, V[m, start:stop], h[m - first])
        m += 1


@kernel
def _subtract_four_of_two(w, u, a, b, c, d, of_w, of_u):
    p, q, r, s = of_w[0], of_w[1], of_w[2], of_w[3]
    e, f, g, h = of_u[0], of_u[1], of_u[2], of_u[3]
    for i in range(w.shape[0]):
        w[i] -= p * a[i] + q * b[i] + r * c[i] + s * d[i]
        u[i] -= e * a[i] + f * b[i] + g * c[i] + h * d[i]


@kernel
def _subtract_of_two(V, first, last, of_w, of_u, w, u, start, stop):
    """Subtract two combinations of the same vectors from some rows of w and of u."""
    x, y, m = w[start:stop], u[start:stop], first
    while m + 3 < last:
        a, b = V[m, start:stop], V[m + 1, start:stop]
        c, d = V[m + 2, start:stop], V[m + 3, start:stop]
        _subtract_four_of_two(x, y, a, b, c, d, of_w[m - first :], of_u[m - first :])
        m += 4
    while m < last:
        _subtract_one(x, V[m, start:stop], of_w[m - first])
        _subtract_one(y, V[m, start:stop], of_u[m - first])
        m += 1


@kernel
def _write(w, length, start, stop, v):
    """Write some rows of ``w / length`` to v."""
    for i in range(start, stop):
        v[i] = w[i] / length


@kernel
def _collect(parts, count, h):
    """Write the sums over all parts to h, in their order."""
    for m in range(count):
        s = 0.0
        for part in range(parts.shape[0]):
            s += parts[part, m]
        h[m] = s


@kernel
def _near_turn(A, x, V, j, w, start, stop, sums):
    """Form w = A x, its dots with v_{j-1} and v_j, and its square."""
    sums[:3] = 0
    _multiply(A, start, stop, x, w)
    if stop > start:
        _add_dots(V, j - 1, j + 1, w, start, stop, sums)
        sums[2] = _dot(w[start:stop], w[start:stop])


@kernel
def _far_turn(V, spans, kept, j, near, w, start, stop, sums):
    """Take v_{j-1} and v_j out of w by these dots; form those with the vectors of both spans.

    Where the second one is the whole chain, v_j has lost as much: its dots are formed as well.
    """
    of_w, of_last = sums
    of_w[: j + 1] = 0
    of_last[: j + 1] = 0
    while start < stop:
        end = min(stop, start + _PIECE)
        _subtract(V, j - 1, j + 1, near, w, start, end)
        _add_dots(V, 0, spans[0], w, start, end, of_w)
        if spans[2]:
            _add_dots_of_two(V, kept, j - 1, w, V[j], start, end, of_w[kept:], of_last)
            _add_dots(V, j - 1, j + 1, w, start, end, of_w[j - 1 :])
        else:
            _add_dots(V, spans[1], j + 1, w, start, end, of_w[spans[1] :])
        start = end


@kernel
def _rest_turn(V, spans, kept, j, dots, w, start, stop):
    """Take them out of w, and of v_j, by these dots; return the square of what is left of w."""
    far, of_last = dots
    square = 0.0
    while start < stop:
        end = min(stop, start + _PIECE)
        _subtract(V, 0, spans[0], far, w, start, end)
        if spans[2]:
            _subtract(V, j - 1, j + 1, far[j - 1 :], w, start, end)
            _subtract_of_two(V, kept, j - 1, far[kept:], of_last, w, V[j], start, end)
        else:
            _subtract(V, spans[1], j + 1, far[spans[1] :], w, start, end)
        square += _dot(w[start:end], w[start:end])
        start = end
    return square


@kernel
def _lost(first, last, together, j, near, a, b, now, after, known):
    """Follow inner products of v_{j+1} with some vectors; return up to which to take them out.

    For v_i before the last two, ``v_i . A v_j = v_j . A v_i`` gives [1]_

        b_j w_{j+1,i} = b_i w_{j,i+1} + (a_i - a_j) w_{j,i} + b_{i-1} w_{j,i-1} - b_{j-1} w_{j-1,i}

    up to rounding errors, which add up in the worst case. Vectors that are kept from before, not
    made by the recurrence, have b_i = 0 and what their residuals are as errors. `together` all are
    taken out or none.

    .. [1] H. D. Simon, "The Lanczos algorithm with partial reorthogonalization", Math. Comp. 42
       (1984), 115-142.
    """
    noise, largest = known[ERRORS] * known[SIZE], 0.0
    for i in range(first, last):
        change = b[i] * now[i + 1] + (a[i] - near[1]) * now[i] - b[j - 1] * after[i]
        if i > first:
            change += b[i - 1] * now[i - 1]
        change += noise if change >= 0 else -noise
        largest = max(largest, abs(change))
        after[i] = change
    length = np.sqrt(max(near[2] - near[0] * near[0] - near[1] * near[1], 0.0))
    limit = known[THRESHOLD] * length if length > _CANCELLED * known[SIZE] else 0.0
    stop = last
    while stop > first and abs(after[stop - 1]) < limit:
        stop -= 1
    # The vector before has lost as much.
    before, known[SUSPECT], known[_CHANGE] = known[SUSPECT], stop, largest
    stop = max(stop, min(last, int(before)))
    if together and stop > first:
        stop = last
    for i in range(first, stop):
        after[i] = known[PROJECTED]
    # Where the length is zero, so is the limit, and none is left.
    for i in range(stop, last):
        after[i] /= length
    return stop


@kernel
def _choose_spans(kept, j, near, loss, spans):
    """Choose what to project against beside the last two: up to a kept vector, and from another."""
    a, b, rows, known = loss
    now, after = rows[j & 1], rows[1 - (j & 1)]
    b[j - 1] = near[0]
    for group in range(2):
        known[group, SIZE] = max(known[group, SIZE], np.sqrt(near[2]))
    recent = max(kept, j - 1)
    spans[0] = _lost(0, kept, False, j, near, a, b, now, after, known[0])
    chain = _lost(kept, j - 1, True, j, near, a, b, now, after, known[1])
    spans[1] = kept if chain > kept else recent
    spans[2] = chain > kept and known[1, THRESHOLD] > 0
    if spans[2]:
        # What v_j has lost is taken out in the same step, so that the next one need not be.
        now[kept : j - 1] = known[1, PROJECTED]
        known[1, SUSPECT] = 0
    after[recent : j + 1] = known[1, PROJECTED]


@kernel
def _notice(first, last, far, known):
    """Scale the errors of products where dots are larger than the recurrence has told."""
    largest = 0.0
    for i in range(first, last):
        largest = max(largest, abs(far[i]))
    if largest > known[_CHANGE] > 0:
        known[ERRORS] *= largest / known[_CHANGE]


@kernel
def _needs_care(square, near, h, limits):
    """Tell whether w is noise, out of range, or was not almost orthogonal to all vectors before."""
    noise, share, least, most = limits
    once = square + np.sum(h * h)
    # The third entry is no dot.
    whole = once + near[0] * near[0] + near[1] * near[1]
    fine = max(noise * noise * whole, least) < square and whole < most
    return not (fine and square >= share * share * once)


@kernel
def _complete(turn, step, sums, kept, j, near, spans, far, of_last, squares, limits, loss):
    """Add up what the parts of a turn have contributed; tell whether the step needs care."""
    if turn == 0:
        _collect(sums[0], 3, near[step])
        _choose_spans(kept, j, near[step], loss, spans[step])
    elif turn == 1:
        _collect(sums[0], j + 1, far[step])
        if spans[step, 2]:
            _collect(sums[1], j - 1 - kept, of_last)
        _notice(0, spans[step, 0], far[step], loss[3][0])
        if spans[step, 1] == kept:
            _notice(kept, j - 1, far[step], loss[3][1])
    elif turn == 2:
        _collect(sums[0], 1, squares[step])
        loss[0][j] = near[step, 1] + far[step, j]
        return _needs_care(squares[step, 0], near[step], far[step, : j + 1], limits)
    return False


@kernel
def lanczos_turns(
    factors, rows, evenly, V, kept, size, count, y, w, near, spans, far, of_last, squares, sums,
    limits, loss, counters, looks,
):  # fmt: skip
    """Take part in `count` steps of the Lanczos process; tell whether they are done.

    The operator is the last of two `factors`, applied to `y`, which is the first one times a
    vector; where y is empty it is the last one alone. Factors are cut at `rows`, in parts of equal
    work, and vectors at `evenly`; `sums` (2, parts, capacity) holds what parts contribute.

    `V` (capacity, n) holds `size` vectors, at least two; the last one is multiplied first, and
    those of later steps are added. A step projects ``w = A v_j`` against the last two, and then
    against `spans` (count, 3) of vectors: up to one of those `kept`, and all others or the last
    two again, as the `loss` of their orthogonality demands, and where the third entry says so v_j
    as well, by its dots `of_last` (capacity,). The loss holds a, b, two rows of inner
    products, of which that of j is the one of its parity, and what is known of those with the kept
    vectors and with the others. The dots are `near` (count, 3), with ``||w||^2`` as the third, and
    `far` (count, capacity); `squares` (count, 1) are ``||w||^2`` after that. If w `_needs_care` no
    vector is made of it and no step follows: `STOPPED` counts the steps made.

    Whoever asks takes the next part, once the turn before is complete; after so many `looks` in
    vain the kernel returns.
    """
    parts, of_first = evenly.shape[0] - 1, 1 if y.shape[0] > 0 else 0
    length = _TURNS + of_first
    # After the last step there is no vector to be made.
    total, vain = (count * length - 1) * parts, 0
    while vain < looks:
        taken, complete = load(counters, _TAKEN), load(counters, _COMPLETE)
        if complete * parts >= total or load(counters, STOPPED) > 0:
            return True
        turns = taken // parts
        if taken >= total or complete < turns:
            vain += 1
            continue
        if not exchange(counters, _TAKEN, taken, taken + 1):
            continue
        vain, part, step = 0, taken - turns * parts, turns // length
        turn, j = turns - step * length - of_first, size - 1 + step
        start, stop = evenly[part], evenly[part + 1]
        if turn < 0:
            _multiply(factors[0], rows[0, part], rows[0, part + 1], V[j], y)
        elif turn == 0:
            x = y if of_first else V[j]
            _near_turn(factors[1], x, V, j, w, rows[1, part], rows[1, part + 1], sums[0, part])
        elif turn == 1:
            _far_turn(V, spans[step], kept, j, near[step], w, start, stop, sums[:, part])
        elif turn == 2:
            dots = far[step], of_last
            sums[0, part, 0] = _rest_turn(V, spans[step], kept, j, dots, w, start, stop)
        else:
            _write(w, np.sqrt(squares[step, 0]), start, stop, V[j + 1])
        if add(counters, _DONE, 1) + 1 == (turns + 1) * parts:
            if _complete(
                turn, step, sums, kept, j, near, spans, far, of_last, squares, limits, loss
            ):
                add(counters, STOPPED, step + 1)
            add(counters, _COMPLETE, 1)
    return False
