"""Turn a C-ordered matrix of stacked square blocks into a Fortran-ordered one, in place.

Entry (i, j) of block k stands at ``(k n + i) n + j`` and belongs to ``j c n + k n + i`` where
there are c blocks: transpose every block, then put the c n columns of the blocks, contiguous by
now, into the order of the columns of the whole.
"""

import numpy as np

from rnla._kernels._jit import kernel

_TILE = 32


@kernel
def transpose_square(block, n):
    """Transpose a flattened (n, n) block in place, tile by tile."""
    for row in range(0, n, _TILE):
        row_stop = min(n, row + _TILE)
        for column in range(row, n, _TILE):
            column_stop = min(n, column + _TILE)
            for i in range(row, row_stop):
                for j in range(max(column, i + 1), column_stop):
                    upper, lower = np.uintp(i * n + j), np.uintp(j * n + i)
                    block[upper], block[lower] = block[lower], block[upper]


@kernel
def interleave_pieces(buffer, count, length, carried, placed):
    """Move piece ``k n + j`` to place ``j count + k``, following the cycles of the permutation.

    `buffer` holds ``len(placed) = count n`` pieces of `length` entries; `carried` is a workspace
    for one of them and `placed` starts as False.
    """
    total = len(placed)
    n = total // count
    for first in range(total):
        if placed[first]:
            continue
        for t in range(length):
            carried[t] = buffer[first * length + t]
        piece = first
        while True:
            place = piece % n * count + piece // n
            placed[place] = True
            for t in range(length):
                at = np.uintp(place * length + t)
                carried[t], buffer[at] = buffer[at], carried[t]
            piece = place
            if place == first:
                break
