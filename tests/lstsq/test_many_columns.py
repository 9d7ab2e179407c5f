"""Too many columns for a factor: conjugate gradients, a certificate without a factor, refusals."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import ConvergenceWarning, lstsq_refine
from rnla.linalg.normal import as_normal
from rnla.lstsq import CGLS, LAPACK, SPIR, Gram, _choose, backward_error, choose_method
from rnla.lstsq._quadrature import QuadratureCertificate
from rnla.testing import lstsq_problem


def three_per_row(m, n, rng):
    indices = rng.integers(0, n, 3 * m)
    signs = rng.choice([-1.0, 1.0], 3 * m)
    return scipy.sparse.csr_array((signs, indices, np.arange(0, 3 * m + 1, 3)), shape=(m, n))


def scaled_error(A, b, x):
    """The exact backward error for columns of equal size, which certificates speak of."""
    scale = np.linalg.norm(A, axis=0)
    scale[scale == 0] = 1
    return backward_error(A / scale, b, x * scale)


@pytest.mark.parametrize("residual", [1e-12, 1e-6, 1e-2, 1.0])
@pytest.mark.parametrize("condition", [1.0, 1e2])
@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array])
def test_well_conditioned_problems_are_solved(form, condition, residual, rng):
    A, b, _ = lstsq_problem(600, 25, condition=condition, residual=residual, rng=rng)
    result = lstsq_refine(form(A), b, method="cgls")
    assert result.success
    assert result.method == "cgls"
    assert result.rank == 25
    assert result.preconditioner is None
    assert scaled_error(A, b, result.x) <= 4 * EPS


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("options", [{}, {"damp": 0.5}, {"weights": True}, {"x0": True}], ids=str)
def test_every_input(options, dtype, rng):
    A, b = gaussian(300, 12, rng, dtype), gaussian(300, 2, rng, dtype)
    A *= 10.0 ** rng.integers(-20, 20, 12)
    A[:, 3] = 0
    expected = np.linalg.lstsq(A, b, 1e-300)[0]
    dense, rhs = A, b
    options = dict(options)
    if "weights" in options:
        options["weights"] = rng.random(300)
        root = np.sqrt(options["weights"])[:, None]
        dense, rhs = root * A, root * b
    if "damp" in options:
        dense, rhs = np.vstack([A, 0.5 * np.eye(12)]), np.vstack([b, np.zeros((12, 2))])
    if "x0" in options:
        options["x0"] = np.where(rng.random(expected.shape) < 0.5, 1e300, 0)
    result = lstsq_refine(scipy.sparse.csc_array(A), b, method="cgls", **options)
    assert result.success
    assert result.rank == 12 - ("damp" not in options)
    for k in range(2):
        assert scaled_error(dense, rhs[:, k], result.x[:, k]) <= 4 * EPS
    assert not result.x[3].any()


@pytest.mark.parametrize("maxiter", [0, 3, 10, 60])
@pytest.mark.parametrize("condition", [1e1, 1e4, 1e8])
@pytest.mark.filterwarnings("ignore::rnla.ConvergenceWarning")
def test_the_certificate_is_an_upper_bound_and_close(condition, maxiter, rng):
    A, b, _ = lstsq_problem(600, 25, condition=condition, residual=1e-3, rng=rng)
    result = lstsq_refine(A, b, method="cgls", maxiter=maxiter)
    true = scaled_error(A, b, result.x)
    # The estimate it bounds is itself within sqrt(2) of the exact error.
    assert result.backward_error >= true / np.sqrt(2) - EPS / 10
    assert result.backward_error <= 3 * true + EPS


@pytest.mark.parametrize("nu", [1e-6, 1e-3, 1.0, 1e3])
def test_quadrature_bounds_the_inverse_root(nu, rng):
    A, b, _ = lstsq_problem(400, 30, condition=1e3, residual=1e-2, rng=rng)
    certificate = QuadratureCertificate(as_normal(A), np.ones((30, 1)), 1.0)
    g = A.T @ (b - A @ rng.standard_normal(30))
    exact = np.sqrt(g @ np.linalg.solve(A.T @ A + nu**2 * np.eye(30), g))
    value = certificate._quadrature(g[:, None], nu, 0.0)
    assert exact * (1 - 1e-6) <= value <= 1.6 * exact


def test_an_ill_conditioned_problem_is_no_success(rng):
    A, b, _ = lstsq_problem(2000, 200, condition=1e10, residual=1e-3, rng=rng)
    with pytest.warns(ConvergenceWarning, match="backward error"):
        result = lstsq_refine(A, b, method="cgls", maxiter=300)
    assert not result.success
    assert result.backward_error >= scaled_error(A, b, result.x) / np.sqrt(2)


def test_auto_stays_within_its_memory(monkeypatch, rng):
    """The same rule at a smaller scale: 4 GiB become 4 MiB, and 7800 columns 250."""
    A = three_per_row(4000, 400, rng)
    b = rng.standard_normal(4000)
    assert not isinstance(choose_method(A).method, CGLS)
    monkeypatch.setattr(_choose, "DENSE_BYTES", 4 << 20)
    for columns, kinds in ((100, (SPIR, Gram)), (280, (Gram,)), (400, (CGLS,))):
        assert isinstance(choose_method(A[:, :columns]).method, kinds)
    result = lstsq_refine(A, b)
    assert (result.method, result.success) == ("cgls", True)
    assert backward_error(A, b, result.x, exact=False) <= 2 * EPS
    # Where the Gram matrix is tried in vain, what follows stays within the memory, too.
    bad = scipy.sparse.csr_array(
        A[:, :280] @ scipy.sparse.diags_array([1.0, 1e4], offsets=[0, 1], shape=(280, 280))
    )
    assert isinstance(choose_method(bad).method, Gram)
    assert lstsq_refine(bad, b).method == "cgls"
    assert isinstance(choose_method(A[:600]).method, CGLS)
    assert isinstance(choose_method(A[:600, :100]).method, SPIR | Gram | LAPACK)
    for form in (A.T, aslinearoperator(A)):
        with pytest.raises(ValueError, match=r"needs a sketch of .* GiB.*method='spir'"):
            lstsq_refine(form, np.ones(form.shape[0]))


def test_what_auto_would_do_with_two_hundred_thousand_rows():
    A = scipy.sparse.csr_array((200_000, 20_000))
    assert isinstance(choose_method(A).method, CGLS)
    assert isinstance(choose_method(A[:, :7000]).method, SPIR | Gram)


def test_what_it_refuses(rng):
    A = rng.standard_normal((30, 4))
    operator = LinearOperator(A.shape, matvec=lambda x: A @ x, rmatvec=lambda y: A.T @ y)
    with pytest.raises(ValueError, match=r"LinearOperator.*method='spir'"):
        lstsq_refine(operator, np.ones(30), method="cgls")
    with pytest.raises(ValueError, match=r"needs m >= n.*method='spir'"):
        lstsq_refine(A.T, np.ones(4), method="cgls")
    for options in ({"sketch": "srht"}, {"sketch_size": 20}, {"preconditioner": np.eye(4)}):
        with pytest.raises(ValueError, match="of no use to method='cgls'"):
            lstsq_refine(A, np.ones(30), method="cgls", **options)
