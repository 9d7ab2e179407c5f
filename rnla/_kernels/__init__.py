"""Numba kernels: arrays in, arrays out; serial, GIL released, nothing validated."""
