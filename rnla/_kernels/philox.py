"""Counter-based random numbers: Philox4x32-10 and what the sketches draw from it.

Every number is a pure function of (key, tag, global row, column block), so a sketch does not
depend on threads, chunks or layout. J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw,
"Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import math

import numpy as np
from numba import njit

from rnla._kernels._jit import kernel

# One bare integer literal would turn uint64 arithmetic into float64: every constant is uint64.
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)
_S31 = np.uint64(31)
_ONE = np.uint64(1)
_S30 = np.uint64(30)
_S52 = np.int64(52)
_LOW_30 = np.uint64(0x3FFFFFFF)
_ULP = 2.0**-32
_EIGHTH = math.pi / 2**31
_LOG_2 = math.log(2.0)
_SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
_BUFFER = 256


@njit(inline="always", error_model="numpy")
def _philox(c0, c1, c2, c3, k0, k1):
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c1, c2, c3 = (p1 >> _S32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _S32) ^ c3 ^ k1, p0 & _LOW
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@kernel
def philox_words(counter, key, out):
    """Write the four output words of each counter: `counter` (n, 4), `key` (2,), `out` (n, 4)."""
    for i in range(counter.shape[0]):
        w0, w1, w2, w3 = _philox(
            counter[i, 0], counter[i, 1], counter[i, 2], counter[i, 3], key[0], key[1]
        )
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = w0, w1, w2, w3


@njit(inline="always", error_model="numpy")
def _pack(word, size, offset):
    # The upper 31 bits choose a row of the block, the lowest bit is the sign.
    row = (((word >> _ONE) * size) >> _S31) + offset
    return np.int32((row << _ONE) | (word & _ONE))


@kernel
def fill_sparse_stack(key, tag, row_start, sizes, offsets, packed):
    """Write one signed row per stacked block: `packed[l, i] = (row << 1) | sign bit`, int32.

    `sizes`, `offsets` (uint64) describe the blocks; `packed` has shape (zeta, rows).
    """
    zeta, rows = packed.shape
    k0, k1 = key[0], key[1]
    for quad in range((zeta + 3) // 4):
        block = np.uint64(quad)
        l0 = 4 * quad
        last = zeta - 1
        # Blocks past the last one are computed and overwritten: a branch would stop vectorising.
        l1, l2, l3 = min(l0 + 1, last), min(l0 + 2, last), min(l0 + 3, last)
        z0, z1, z2, z3 = sizes[l0], sizes[l1], sizes[l2], sizes[l3]
        o0, o1, o2, o3 = offsets[l0], offsets[l1], offsets[l2], offsets[l3]
        width = zeta - l0
        for i in range(rows):
            row = row_start + np.uint64(i)
            w0, w1, w2, w3 = _philox(row & _LOW, row >> _S32, block, tag, k0, k1)
            packed[l0, i] = _pack(w0, z0, o0)
            if width > 1:
                packed[l1, i] = _pack(w1, z1, o1)
            if width > 2:
                packed[l2, i] = _pack(w2, z2, o2)
            if width > 3:
                packed[l3, i] = _pack(w3, z3, o3)


@kernel
def fill_signs(key, tag, row_start, column_start, out):
    """Write random signs ±1 into `out` (rows, columns), 128 columns per Philox call."""
    rows, columns = out.shape
    k0, k1 = key[0], key[1]
    words = np.empty(4, np.uint64)
    for i in range(rows):
        row = row_start + np.uint64(i)
        done = 0
        group = -1
        while done < columns:
            column = column_start + done
            if column >> 7 != group:
                group = column >> 7
                w0, w1, w2, w3 = _philox(row & _LOW, row >> _S32, np.uint64(group), tag, k0, k1)
                words[0], words[1], words[2], words[3] = w0, w1, w2, w3
            bit = column & 31
            word = words[(column >> 5) & 3] >> np.uint64(bit)
            # Up to the end of this word; the next word comes with the next turn.
            for k in range(min(32 - bit, columns - done)):
                out[i, done + k] = 1 - 2 * np.int64((word >> np.uint64(k)) & _ONE)
            done += 32 - bit


@kernel
def fill_row_signs(key, tag, row_start, out):
    """Write one random sign per global row into the vector `out`, 128 rows per Philox call."""
    k0, k1 = key[0], key[1]
    words = np.empty(4, np.uint64)
    total = out.shape[0]
    done = 0
    while done < total:
        row = row_start + np.uint64(done)
        group = row >> np.uint64(7)
        w0, w1, w2, w3 = _philox(group & _LOW, group >> _S32, np.uint64(0), tag, k0, k1)
        words[0], words[1], words[2], words[3] = w0, w1, w2, w3
        inside = np.int64(row & np.uint64(127))
        part = inside >> 5
        bit = inside & 31
        word = words[part] >> np.uint64(bit)
        for k in range(min(32 - bit, total - done)):
            out[done + k] = 1 - 2 * np.int64((word >> np.uint64(k)) & _ONE)
        done += 32 - bit


@njit(inline="always", error_model="numpy")
def _log(x):
    """Return the logarithm of a positive normal number, to about an ulp, without a branch."""
    bits = np.float64(x).view(np.int64)
    # x = 2**exponent * mantissa with the mantissa between sqrt(1/2) and sqrt(2).
    exponent = (bits - _SQRT_HALF_BITS) >> _S52
    mantissa = np.int64(bits - (exponent << _S52)).view(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    # log(mantissa) = 2 artanh(s), |s| < 0.172: the first term left out is below 1e-17.
    p = 2.0 / 21.0
    p = p * z + 2.0 / 19.0
    p = p * z + 2.0 / 17.0
    p = p * z + 2.0 / 15.0
    p = p * z + 2.0 / 13.0
    p = p * z + 2.0 / 11.0
    p = p * z + 2.0 / 9.0
    p = p * z + 2.0 / 7.0
    p = p * z + 2.0 / 5.0
    p = p * z + 2.0 / 3.0
    return np.float64(exponent) * _LOG_2 + (2.0 * s + s * z * p)


@njit(inline="always", error_model="numpy")
def _unit_vector(word):
    """Return cosine and sine of an angle that is uniform on the circle: 30 bits of a quadrant."""
    angle = (np.float64(word & _LOW_30) - 536870911.5) * _EIGHTH
    z = angle * angle
    # Taylor sums for |angle| <= pi/4: the first terms left out are below 1e-16.
    s = -1.0 / 1307674368000.0
    s = s * z + 1.0 / 6227020800.0
    s = s * z - 1.0 / 39916800.0
    s = s * z + 1.0 / 362880.0
    s = s * z - 1.0 / 5040.0
    s = s * z + 1.0 / 120.0
    s = s * z - 1.0 / 6.0
    s = angle + angle * z * s
    c = 1.0 / 20922789888000.0
    c = c * z - 1.0 / 87178291200.0
    c = c * z + 1.0 / 479001600.0
    c = c * z - 1.0 / 3628800.0
    c = c * z + 1.0 / 40320.0
    c = c * z - 1.0 / 720.0
    c = c * z + 1.0 / 24.0
    c = c * z - 0.5
    c = 1.0 + z * c
    # The upper two bits mirror that quadrant to the four of the circle.
    sign = 1.0 - 2.0 * np.float64(word >> _S31)
    mirrored = (word >> _S30) & _ONE
    x = s if mirrored else c
    y = c if mirrored else s
    return sign * x, sign * y


@kernel
def fill_normals(key, tag, row_start, column_start, out):
    """Write standard normal numbers into `out` (rows, columns) by Box-Muller on 32-bit words.

    Four columns come from one Philox call; `column_start` is a multiple of four. The steps run one
    after the other over short buffers, so that LLVM vectorises each: 2.5 ns a number, where scalar
    code takes 16.
    """
    rows, columns = out.shape
    k0, k1 = key[0], key[1]
    quads = (columns + 3) // 4
    quad_start = column_start // 4
    words = np.empty((4, _BUFFER), np.uint64)
    normals = np.empty((4, _BUFFER), np.float64)
    first_row = 0
    first_quad = 0
    for first in range(0, rows * quads, _BUFFER):
        count = min(_BUFFER, rows * quads - first)
        i, quad = first_row, first_quad
        for f in range(count):
            row = row_start + np.uint64(i)
            words[0, f], words[1, f] = row & _LOW, row >> _S32
            words[2, f] = np.uint64(quad_start + quad)
            quad += 1
            if quad == quads:
                i, quad = i + 1, 0
        for f in range(count):
            words[0, f], words[1, f], words[2, f], words[3, f] = _philox(
                words[0, f], words[1, f], words[2, f], tag, k0, k1
            )
        for f in range(count):
            # (w + 1/2) / 2**32 lies strictly inside (0, 1), so the logarithm is finite.
            radius = math.sqrt(-2.0 * _log((np.float64(words[0, f]) + 0.5) * _ULP))
            x, y = _unit_vector(words[1, f])
            normals[0, f], normals[1, f] = radius * x, radius * y
            radius = math.sqrt(-2.0 * _log((np.float64(words[2, f]) + 0.5) * _ULP))
            x, y = _unit_vector(words[3, f])
            normals[2, f], normals[3, f] = radius * x, radius * y
        for f in range(count):
            j = 4 * first_quad
            for k in range(min(4, columns - j)):
                out[first_row, j + k] = normals[k, f]
            first_quad += 1
            if first_quad == quads:
                first_row, first_quad = first_row + 1, 0
