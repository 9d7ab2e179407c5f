"""Test vectors: their moments, and bits that depend on nothing but key and index."""

import numpy as np
import pytest

from rnla.trace._vectors import KINDS, VectorStream, column_dots, column_norms

REAL = [np.float32, np.float64]
COMPLEX = [np.complex64, np.complex128]
LAWS = [(kind, dtype) for kind in KINDS for dtype in REAL + COMPLEX]
LAWS = [(kind, dtype) for kind, dtype in LAWS if kind != "steinhaus" or dtype in COMPLEX]


@pytest.mark.parametrize(("kind", "dtype"), LAWS)
def test_any_block_gives_the_same_bits(kind, dtype, rng, threads):
    stream = VectorStream.draw(1500, kind, dtype, rng)
    whole = stream.columns(0, 37)
    assert whole.dtype == dtype
    assert whole.flags.c_contiguous
    threads(1)
    for width in (1, 3, 8):
        pieces = [stream.columns(j, min(37, j + width)) for j in range(0, 37, width)]
        assert np.array_equal(np.hstack(pieces), whole)


@pytest.mark.parametrize(("kind", "dtype"), LAWS)
def test_second_moments(kind, dtype, rng):
    n, draws = 5, 20_000
    X = VectorStream.draw(n, kind, dtype, rng).columns(0, draws)
    products = np.einsum("ik,jk->ijk", X, X.conj()).reshape(n * n, draws)
    error = abs(products.mean(axis=1) - np.eye(n).ravel())
    spread = products.std(axis=1) + 1e-6
    assert np.max(error / spread) * np.sqrt(draws) < 6
    # Nothing but the real kinds has a second moment without the conjugate.
    pseudo = abs(np.mean(X * X, axis=1))
    if dtype in COMPLEX and kind != "signs":
        assert pseudo.max() < 6 * 1.5 / np.sqrt(draws)


@pytest.mark.parametrize("dtype", REAL + COMPLEX)
def test_lengths(dtype, rng):
    stream = VectorStream.draw(33, "sphere", dtype, rng)
    tolerance = 100 * float(np.finfo(dtype).eps)
    assert column_norms(stream.columns(2, 9)) == pytest.approx(np.sqrt(33), rel=tolerance)
    signs = stream.other(1, "signs").columns(0, 5)
    assert set(np.unique(signs)) == {-1, 1}
    if dtype in COMPLEX:
        assert abs(stream.other(1, "steinhaus").columns(0, 5)) == pytest.approx(1, rel=tolerance)


def test_streams_and_keys_differ(rng):
    stream = VectorStream.draw(64, "gaussian", np.float64, rng)
    again = VectorStream.draw(64, "gaussian", np.float64, rng)
    other = stream.other(1)
    same = [stream.columns(0, 4), other.columns(0, 4), again.columns(0, 4), stream.columns(4, 8)]
    G = np.hstack(same)
    assert abs(np.corrcoef(G.T) - np.eye(16)).max() < 0.6


def test_steinhaus_needs_complex_numbers():
    with pytest.raises(ValueError, match=r"`test_vectors`='steinhaus'.*complex"):
        VectorStream.draw(4, "steinhaus", np.float64)


@pytest.mark.parametrize("dtype", REAL + COMPLEX)
def test_dots_of_columns_do_not_depend_on_the_block(dtype, rng):
    X, Y = rng.standard_normal((2, 3000, 9)).astype(dtype)
    if dtype in COMPLEX:
        X = X + 1j * Y[:, ::-1]
    whole = column_dots(X, Y)
    assert whole == pytest.approx(np.einsum("ij,ij->j", X.conj().astype(complex), Y), rel=1e-6)
    for width in (1, 2, 5):
        parts = [column_dots(X[:, j : j + width], Y[:, j : j + width]) for j in range(0, 9, width)]
        assert np.array_equal(np.concatenate(parts), whole)
