"""The registry: operators, dtypes and layouts that every law is checked on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from rnla.sketch import (
    SRHT,
    CountSketch,
    Gaussian,
    Rademacher,
    RowSampling,
    SketchingOperator,
    SparseSign,
)


def leaves(cls: type) -> list[type]:
    """Return the classes without subclasses below `cls`."""
    below = cls.__subclasses__()
    return [leaf for sub in below for leaf in leaves(sub)] if below else [cls]


@dataclass(frozen=True)
class Operator:
    """A family of operators, with the exact law of its distortion.

    For orthonormal Q with n columns and leverage scores l, ``E||Q.T (S.T S - I) Q||_F**2`` is
    `distortion(d, m, n, l)`.
    """

    name: str
    cls: type
    draw: Callable[..., SketchingOperator]
    distortion: Callable[[int, int, int, Any], float]
    # Cuts of rows at multiples of this many leave every bit alone.
    chunk: int = 1

    def __call__(self, d: int, m: int, **options: Any) -> SketchingOperator:
        return self.draw(d, m, **options)


def uneven_probabilities(m: int) -> Any:
    return np.linspace(1.0, 3.0, m)


def _weighted(d: int, m: int, **options: Any) -> SketchingOperator:
    return RowSampling.draw(d, m, probabilities=uneven_probabilities(m), **options)


def _independent_columns(d, m, n, scores):
    # The diagonal of S.T S is exactly one, its other entries are uncorrelated with variance 1/d.
    return (n**2 + n - 2 * np.sum(scores**2)) / d


def _uneven_stack(zeta, d, m, n, scores):
    sizes = [len(part) for part in np.array_split(np.arange(d), zeta)]
    return _independent_columns(1, m, n, scores) * np.sum(1 / np.array(sizes)) / zeta**2


def _gaussian(d, m, n, scores):
    return (n**2 + n) / d


def _without_replacement(d, m, n, scores):
    order = 1 << (m - 1).bit_length()
    return _independent_columns(d, m, n, scores) * (order - d) / (order - 1)


def _sampling(d, m, n, scores):
    return (m * np.sum(scores**2) - n) / d


def _weighted_sampling(d, m, n, scores):
    p = uneven_probabilities(m)
    return (np.sum(scores**2 / (p / p.sum())) - n) / d


OPERATORS = [
    Operator("SparseSign", SparseSign, SparseSign.draw, _independent_columns),
    Operator(
        "SparseSign-3", SparseSign, partial(SparseSign.draw, zeta=3), partial(_uneven_stack, 3)
    ),
    Operator("CountSketch", CountSketch, CountSketch.draw, _independent_columns),
    Operator("SRHT", SRHT, SRHT.draw, _without_replacement, chunk=4096),
    Operator("Gaussian", Gaussian, Gaussian.draw, _gaussian),
    Operator("Rademacher", Rademacher, Rademacher.draw, _independent_columns),
    Operator("RowSampling", RowSampling, RowSampling.draw, _sampling),
    Operator("RowSampling-weighted", RowSampling, _weighted, _weighted_sampling),
]

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]

all_operators = pytest.mark.parametrize("operator", OPERATORS, ids=lambda case: case.name)
all_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)


def random_matrix(rng: np.random.Generator, shape: Any, dtype: Any) -> Any:
    """Return a matrix with normal entries of any real or complex dtype."""
    A = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        A = A + 1j * rng.standard_normal(shape)
    return A.astype(dtype)


def _strided(A: Any) -> Any:
    wide = np.zeros((2 * A.shape[0], 2 * A.shape[1]), A.dtype)
    view = wide[::2, 1::2]
    view[...] = A
    return view


def _read_only(A: Any) -> Any:
    A = np.array(A, order="C")
    A.flags.writeable = False
    return A


def _unaligned(A: Any) -> Any:
    raw = np.zeros(A.nbytes + 1, np.uint8)[1:].view(A.dtype).reshape(A.shape)
    raw[...] = A
    return raw


LAYOUTS = {
    "F": np.asfortranarray,
    "strided": _strided,
    "reversed": lambda A: np.array(A[::-1])[::-1],
    "read-only": _read_only,
    "unaligned": _unaligned,
    "swapped": lambda A: A.astype(A.dtype.newbyteorder("S")),
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
    "coo": scipy.sparse.coo_array,
    "csr_matrix": scipy.sparse.csr_matrix,
}

all_layouts = pytest.mark.parametrize("layout", LAYOUTS)
