"""Products with very many rows are added up in short runs, not in one long sum."""

import numpy as np
import pytest
import scipy.sparse

from rnla.linalg.normal import as_normal

EPS = np.finfo(float).eps
LAYOUTS = {"C": np.asarray, "F": np.asfortranarray, "CSR": scipy.sparse.csr_array}


def lost_digits(compute, A, b):
    """Error of ``A^H b`` in units of what single roundings of its terms add up to."""
    wide = np.result_type(A, np.longdouble)
    exact = A.conj().T.astype(wide) @ b.astype(wide)
    error = np.sqrt(np.mean(np.abs(compute(A, b) - exact) ** 2))
    return float(error) / (EPS * np.linalg.norm(A[:, 0]) * np.linalg.norm(b) / np.sqrt(len(b)))


def gradient_at_zero(layout, A, b, columns):
    zero = np.zeros((A.shape[1], columns), A.dtype)
    return as_normal(layout(A)).gradient(zero, np.tile(b[:, None], columns))[0][:, -1]


def adjoint_product(layout, A, b, columns):
    return as_normal(layout(A)).adjoint_product(np.tile(b[:, None], columns))[:, -1]


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("columns", [1, 2, 5])
@pytest.mark.parametrize("m", [5000, 300_000])
def test_gradients_lose_next_to_nothing_however_many_the_rows(m, columns, layout, dtype, rng):
    A, b = rng.standard_normal((m, 6)).astype(dtype), rng.standard_normal(m).astype(dtype)
    if dtype is complex:
        A += 1j * rng.standard_normal(A.shape)
        b += 1j * rng.standard_normal(m)
    assert lost_digits(lambda A, b: gradient_at_zero(LAYOUTS[layout], A, b, columns), A, b) < 4
    assert lost_digits(lambda A, b: adjoint_product(LAYOUTS[layout], A, b, columns), A, b) < 4


def test_one_long_sum_loses_the_root_of_its_length(rng):
    A, b = rng.standard_normal((300_000, 6)), rng.standard_normal(300_000)
    # The law rejects what the kernels must not do.
    assert lost_digits(lambda A, b: np.cumsum(A * b[:, None], axis=0)[-1], A, b) > 20


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_no_columns_at_all(layout, rng):
    A = as_normal(LAYOUTS[layout](rng.standard_normal((300, 6))))
    assert A.adjoint_product(np.zeros((300, 0))).shape == (6, 0)
    assert A.normal(np.zeros((6, 0))).shape == (6, 0)
