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
_TWO_PI = 2.0 * math.pi


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
def fill_signs(key, tag, row_start, out):
    """Write random signs ±1 into `out` (rows, columns), 128 columns per Philox call."""
    rows, columns = out.shape
    k0, k1 = key[0], key[1]
    words = np.empty(4, np.uint64)
    for i in range(rows):
        row = row_start + np.uint64(i)
        for j in range(columns):
            inside = j & 127
            if inside == 0:
                w0, w1, w2, w3 = _philox(
                    row & _LOW, row >> _S32, np.uint64(j >> 7), tag, k0, k1
                )
                words[0], words[1], words[2], words[3] = w0, w1, w2, w3
            bit = (words[inside >> 5] >> np.uint64(inside & 31)) & _ONE
            out[i, j] = 1 - 2 * np.int64(bit)


@kernel
def fill_row_signs(key, tag, row_start, out):
    """Write one random sign per global row into the vector `out`, 128 rows per Philox call."""
    k0, k1 = key[0], key[1]
    words = np.empty(4, np.uint64)
    seven = np.uint64(7)
    mask = np.uint64(127)
    for i in range(out.shape[0]):
        row = row_start + np.uint64(i)
        inside = np.int64(row & mask)
        if i == 0 or inside == 0:
            group = row >> seven
            w0, w1, w2, w3 = _philox(group & _LOW, group >> _S32, np.uint64(0), tag, k0, k1)
            words[0], words[1], words[2], words[3] = w0, w1, w2, w3
        bit = (words[inside >> 5] >> np.uint64(inside & 31)) & _ONE
        out[i] = 1 - 2 * np.int64(bit)


@kernel
def fill_normals(key, tag, row_start, out):
    """Write standard normal numbers into `out` (rows, columns) by Box-Muller on 32-bit words."""
    rows, columns = out.shape
    k0, k1 = key[0], key[1]
    scale = 1.0 / 4294967296.0
    for i in range(rows):
        row = row_start + np.uint64(i)
        for quad in range((columns + 3) // 4):
            w0, w1, w2, w3 = _philox(row & _LOW, row >> _S32, np.uint64(quad), tag, k0, k1)
            # (w + 1/2) / 2^32 lies strictly inside (0, 1), so the logarithm is finite.
            radius = math.sqrt(-2.0 * math.log((np.float64(w0) + 0.5) * scale))
            angle = _TWO_PI * (np.float64(w1) * scale)
            radius2 = math.sqrt(-2.0 * math.log((np.float64(w2) + 0.5) * scale))
            angle2 = _TWO_PI * (np.float64(w3) * scale)
            j = 4 * quad
            out[i, j] = radius * math.cos(angle)
            if j + 1 < columns:
                out[i, j + 1] = radius * math.sin(angle)
            if j + 2 < columns:
                out[i, j + 2] = radius2 * math.cos(angle2)
            if j + 3 < columns:
                out[i, j + 3] = radius2 * math.sin(angle2)
