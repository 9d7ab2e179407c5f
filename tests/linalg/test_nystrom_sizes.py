"""Nyström surrogates of matrices whose squares leave the range."""

import numpy as np
import pytest

import rnla
from rnla.testing import haar


@pytest.mark.parametrize("dtype", [np.float32, float, np.complex64, complex])
@pytest.mark.parametrize("end", ["large", "small"])
@pytest.mark.parametrize("n_iter", [0, 1])
def test_any_size_of_entries(dtype, end, n_iter, rng):
    Q = haar(60, 60, rng=rng, dtype=dtype)
    A = ((Q * 0.5 ** np.arange(60)) @ Q.conj().T).astype(dtype)
    A = (A + A.conj().T) / 2
    power = np.finfo(dtype).maxexp * 3 // 4 * (1 if end == "large" else -1)
    factor = np.ldexp(1.0, power).astype(A.real.dtype)
    expected = rnla.nystrom(A, 30, n_iter=n_iter, rng=5)
    surrogate = rnla.nystrom(A * factor, 30, n_iter=n_iter, rng=5)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(
        surrogate.values[:10] / factor, expected.values[:10], rtol=0, atol=100 * eps
    )


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_an_indefinite_matrix_is_refused_in_its_own_size(factor, rng):
    A = factor * np.diag(np.r_[np.ones(5), -np.ones(25)])
    with pytest.raises(ValueError, match=f"e[+]?{np.log10(factor):.0f}"):
        rnla.nystrom(A, 20, rng=rng)
