"""Every bad argument gets one sentence that names it."""

import numpy as np
import pytest
from refinement_cases import planted
from scipy.linalg import cho_factor, lu_factor, qr
from scipy.sparse import coo_array, eye_array
from scipy.sparse.linalg import LinearOperator, aslinearoperator, splu
from sklearn.linear_model import Ridge

from rnla import refine

EYE = np.eye(3)
ONE = np.ones(3)


def identity(r):
    return r


def with_nan(array):
    array = np.array(array, float)
    array.flat[0] = np.nan
    return array


BAD_VALUES = {
    "A one axis": (dict(A=ONE), r"`A` must have two axes or be callable, got \(3,\)"),
    "A three axes": (dict(A=np.ones((2, 2, 2))), "`A` must have two axes"),
    "A ragged": (dict(A=[[1.0], [1.0, 2.0]]), "`A` must be an array"),
    "A sparse vector": (dict(A=coo_array(ONE)), "`A` must have two axes"),
    "A nan": (dict(A=with_nan(EYE)), "`A` must not contain NaN"),
    "A inf": (dict(A=np.diag([1, np.inf, 1])), "`A` must not contain NaN"),
    "A sparse nan": (dict(A=eye_array(3) * np.nan), "`A` must not contain NaN"),
    "A operator nan": (dict(A=aslinearoperator(with_nan(EYE))), "`A` must not return NaN"),
    "b length": (dict(b=np.ones(4)), r"`b` must have shape \(3,\) or \(3, k\).*got \(4,\)"),
    "b axes": (dict(b=np.ones((3, 1, 1))), "`b` must have shape"),
    "b scalar": (dict(b=1.0), "`b` must have shape"),
    "b nan": (dict(b=with_nan(ONE)), "`b` must not contain NaN"),
    "b for F": (dict(A=identity, b=np.ones((3, 2))), r"`b` must have shape \(m,\).*\(3, 2\)"),
    "x0 length": (dict(x0=np.ones(2)), r"`x0` must have shape \(3,\).*got \(2,\)"),
    "x0 axes": (dict(x0=np.ones((3, 1))), "`x0` must have shape"),
    "x0 vector": (dict(b=np.ones((3, 2)), x0=ONE), r"`x0` must have shape \(3, 2\)"),
    "x0 nan": (dict(x0=with_nan(ONE)), "`x0` must not contain NaN"),
    "x0 for F": (dict(A=identity, x0=np.ones((3, 1))), r"`x0` must have shape \(n,\)"),
    "rtol one": (dict(rtol=1.0), r"`rtol` must lie in \[0, 1.0\), got 1.0"),
    "rtol negative": (dict(rtol=-1e-3), "`rtol` must lie in"),
    "rtol nan": (dict(rtol=np.nan), "`rtol` must lie in"),
    "maxiter": (dict(maxiter=-1), "`maxiter` must be at least 0, got -1"),
    "memory": (dict(acceleration="krylov", memory=0), "`memory` must be at least 1, got 0"),
    "memory alone": (dict(memory=3), "`memory` must be left out where `acceleration` is None"),
    "acceleration": (dict(acceleration="aitken"), "`acceleration` must be None, 'anderson' or"),
    "acceleration bool": (dict(acceleration=True), "`acceleration` must be None, 'anderson' or"),
    "krylov for F": (dict(A=identity, acceleration="krylov"), "needs a linear `A`"),
    "factor shape": (
        dict(approximate_solver=lu_factor(np.eye(4))),
        r"`approximate_solver` must have shape \(3, 3\).*got \(4, 4\)",
    ),
    "operator shape": (
        dict(A=np.ones((3, 2)), approximate_solver=aslinearoperator(np.ones((3, 2)))),
        r"`approximate_solver` must have shape \(2, 3\) to go with `A` of shape \(3, 2\)",
    ),
    "splu shape": (
        dict(approximate_solver=splu(eye_array(4, format="csc"))),
        "`approximate_solver` must have shape",
    ),
    "answer length": (
        dict(approximate_solver=lambda r: r[:2]),
        r"`approximate_solver` must return shape \(3,\) for a residual of shape \(3,\), got \(2,\)",
    ),
    "answer axes": (
        dict(approximate_solver=lambda r: np.ones((3, 2))),
        "`approximate_solver` must return shape",
    ),
    "answer none": (dict(approximate_solver=lambda r: None), "`approximate_solver` must return"),
    "answer for F": (
        dict(A=identity, approximate_solver=lambda r: r[:2], x0=2 * ONE),
        r"`approximate_solver` must return shape \(3,\)",
    ),
    "value of F": (
        dict(A=lambda x: x[:2], x0=ONE),
        r"`A` must return shape \(3,\), that of `b`, got \(2,\)",
    ),
    "axes of F": (dict(A=lambda x: x[:, None]), "`A` must return a vector"),
}

BAD_TYPES = {
    "A object": (dict(A=np.array([[None]])), "`A` must hold numbers"),
    "A text": (dict(A=[["a"]]), "`A` must hold numbers"),
    "b text": (dict(b=["a", "b", "c"]), "`b` must hold numbers"),
    "x0 text": (dict(x0=["a", "b", "c"]), "`x0` must hold numbers"),
    "rtol text": (dict(rtol="small"), "`rtol` must be a real number"),
    "maxiter float": (dict(maxiter=3.0), "`maxiter` must be an integer"),
    "memory float": (dict(acceleration="anderson", memory=2.5), "`memory` must be an integer"),
    "callback": (dict(callback=1), "`callback` must be callable"),
    "solver none": (dict(approximate_solver=None), "`approximate_solver` must be a callable"),
    "solver matrix": (dict(approximate_solver=EYE), "ndarray; wrap an approximate inverse"),
    "solver sparse": (dict(approximate_solver=eye_array(3)), "aslinearoperator"),
    "solver class": (dict(approximate_solver=Ridge), "`approximate_solver` must be a callable"),
    "solver qr": (dict(approximate_solver=qr(EYE)), "lu_factor or cho_factor"),
    "solver triple": (dict(approximate_solver=(EYE, ONE, 1)), "lu_factor or cho_factor"),
    "solver pivots": (dict(approximate_solver=(EYE, ONE)), "lu_factor or cho_factor"),
    "solver short": (dict(approximate_solver=(EYE, np.arange(2))), "lu_factor or cho_factor"),
    "solver int": (dict(approximate_solver=(EYE.astype(int), True)), "lu_factor or cho_factor"),
    "answer complex": (
        dict(approximate_solver=lambda r: r * 1j),
        "`approximate_solver` must return real numbers for real residuals, got complex128",
    ),
    "answer text": (
        dict(approximate_solver=lambda r: np.array(["a"] * 3)),
        "`approximate_solver` must return numbers",
    ),
    "product complex": (
        dict(A=LinearOperator((3, 3), matvec=lambda x: 1j * x, dtype=float)),
        "`A` has dtype float64 but returned complex128",
    ),
    "value complex": (dict(A=lambda x: x * 1j), "`A` must return real numbers for real x"),
}


def call(A=EYE, b=ONE, approximate_solver=identity, **options):
    return refine(A, b, approximate_solver, **options)


@pytest.mark.parametrize("case", BAD_VALUES)
def test_bad_values(case):
    arguments, message = BAD_VALUES[case]
    with pytest.raises(ValueError, match=message):
        call(**arguments)


@pytest.mark.parametrize("case", BAD_TYPES)
def test_bad_types(case):
    arguments, message = BAD_TYPES[case]
    with pytest.raises(TypeError, match=message):
        call(**arguments)


def test_the_same_call_without_a_fault_is_accepted():
    assert call().success
    assert call(approximate_solver=lu_factor(EYE)).success
    assert call(approximate_solver=cho_factor(EYE)).success
    assert call(A=identity, acceleration="anderson", memory=1).success
    assert call(approximate_solver=lambda r: r[:, None].tolist()).success


def test_an_unfitted_regressor_says_so_itself():
    with pytest.raises(Exception, match="not fitted"):
        call(approximate_solver=Ridge())


def test_a_regressor_of_the_wrong_width(rng):
    wide = Ridge().fit(rng.standard_normal((9, 3)), rng.standard_normal((9, 2)))
    with pytest.raises(ValueError, match=r"`approximate_solver` must return shape \(3,\)"):
        call(approximate_solver=wide)


def test_unchecked_infinity_is_still_an_error(rng):
    A, b, _ = planted(5, 10.0, rng)
    b[2] = np.inf
    with pytest.raises(np.linalg.LinAlgError, match="returned NaN or infinity"):
        refine(A, b, np.linalg.inv(A).__matmul__, check_finite=False)
