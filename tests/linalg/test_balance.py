import numpy as np
import pytest
from scipy.sparse import eye_array

from rnla.linalg import balance
from rnla.linalg.normal import as_normal
from rnla.lstsq._cost import default_sketch_size, spir_passes, spne_passes


@pytest.fixture
def measured(monkeypatch):
    """Measure small matrices too, in a process that knows nothing yet."""
    monkeypatch.setattr(balance, "_LEAST_ENTRIES", 0)
    monkeypatch.setattr(balance, "_known", {})
    return balance._known


def matrix(dtype="d", order="C", fill=1.0):
    return np.full((balance._SWEPT[0] + 100, balance._SWEPT[1]), fill, dtype, order)


@pytest.mark.parametrize(("dtype", "order"), [("d", "C"), ("d", "F"), ("f", "C"), ("D", "C")])
def test_it_is_within_its_range_and_measured_once(measured, monkeypatch, dtype, order):
    A = as_normal(matrix(dtype, order))
    first = balance.gemm_balance(A)
    assert 8 <= first <= 256
    assert len(measured) == 1
    monkeypatch.setattr(balance, "_measured", lambda A: pytest.fail("measured twice"))
    assert balance.gemm_balance(A) == first


def test_what_is_not_finite_does_no_harm(measured):
    assert 8 <= balance.gemm_balance(as_normal(matrix(fill=np.nan))) <= 256


def test_small_and_sparse_matrices_are_not_measured(monkeypatch):
    monkeypatch.setattr(balance, "_measured", lambda A: pytest.fail("measured"))
    for A in (np.eye(500, 20), eye_array(30_000_000, 5, format="csr")):
        assert balance.gemm_balance(as_normal(A)) == balance.TYPICAL


def test_reading_counts_nothing(measured):
    A = as_normal(matrix())
    balance.gemm_balance(A)
    assert (A.n_matvec, A.n_passes) == (0, 0)


@pytest.mark.parametrize(("raw", "rounded"), [(1, 8), (20, 22.6), (45, 45.3), (1e9, 256)])
def test_it_is_rounded_to_half_an_octave(raw, rounded):
    assert balance._rounded(raw) == pytest.approx(rounded, abs=0.1)


def test_a_faster_product_favours_methods_made_of_products():
    m, n = 1_000_000, 300
    slow, fast = 20, 90
    assert spir_passes(m, n, 1, None, slow) < spne_passes(m, n, 1, slow)
    assert spir_passes(m, n, 1, None, fast) > spne_passes(m, n, 1, fast)


def test_the_sketch_does_not_depend_on_the_machine(measured):
    before = default_sketch_size(10**6, 300)
    balance.gemm_balance(as_normal(matrix()))
    assert default_sketch_size(10**6, 300) == before
