"""The largest of many numbers, by their bits: as integers they can be compared in any order."""

import numpy as np

from rnla._kernels._jit import kernel


@kernel
def largest_bits(bits, sign):
    """Return the largest entry of unsigned `bits` without the bit `sign`.

    Bits of floating-point numbers order like their absolute values, infinity beyond all finite ones
    and NaN beyond infinity.
    """
    rest = ~sign
    largest = bits.dtype.type(0)
    for i in range(bits.shape[0]):
        largest = max(largest, bits[np.uintp(i)] & rest)
    return largest
