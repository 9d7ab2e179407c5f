"""SciPy's own tests of eigsh, from the installed SciPy, with ours in its place."""

import functools
import inspect

import pytest

import rnla

theirs = pytest.importorskip(
    "scipy.sparse.linalg._eigen.arpack.tests.test_arpack", reason="SciPy came without its tests"
)

PARAMS = theirs.SymmetricParams()


def by(method):
    """`eigsh` by one engine, where the test asks for no other."""

    @functools.wraps(rnla.eigsh)
    def eigsh(*args, **kwargs):
        return rnla.eigsh(*args, method=method, **kwargs)

    return eigsh


@pytest.fixture(params=["auto", "lanczos"], autouse=True)
def in_place(request, monkeypatch):
    monkeypatch.setattr(theirs, "eigsh", by(request.param))


@pytest.mark.parametrize("mattype", PARAMS.mattypes, ids=lambda m: m.__name__)
@pytest.mark.parametrize("which", PARAMS.which)
@pytest.mark.parametrize("typ", ["f", "d"])
@pytest.mark.parametrize("problem", PARAMS.real_test_cases, ids=repr)
def test_symmetric_modes(problem, typ, which, mattype):
    for sigma, modes in PARAMS.sigmas_modes.items():
        for mode in modes:
            theirs.test_symmetric_modes(problem, typ, which, mattype, sigma, mode)


@pytest.mark.parametrize("mattype", PARAMS.mattypes, ids=lambda m: m.__name__)
@pytest.mark.parametrize("which", ["LM", "SM", "LA", "SA"])
@pytest.mark.parametrize("typ", ["F", "D"])
@pytest.mark.parametrize("problem", PARAMS.complex_test_cases, ids=repr)
def test_hermitian_modes(problem, typ, which, mattype):
    for sigma in (None, 0.5):
        theirs.test_hermitian_modes(problem, typ, which, mattype, sigma)


@pytest.mark.parametrize("typ", ["f", "d"])
@pytest.mark.parametrize("problem", PARAMS.real_test_cases, ids=repr)
def test_starting_vector(problem, typ):
    for k in range(1, 6):
        theirs.test_symmetric_starting_vector(k, problem, typ)


def test_no_convergence():
    theirs.test_symmetric_no_convergence()


def test_k_greater():
    theirs.test_eigsh_for_k_greater()


def test_parallel_threads():
    wanted = inspect.signature(theirs.test_parallel_threads).parameters
    theirs.test_parallel_threads(**dict.fromkeys(wanted, 1))


def test_reentering(monkeypatch):
    # Its operator is no linear map at all, which only LAPACK can bear.
    monkeypatch.setattr(theirs, "eigsh", rnla.eigsh)
    theirs.test_reentering()


@pytest.mark.skipif(not hasattr(theirs, "test_nD"), reason="this SciPy has no such test")
def test_more_than_two_axes():
    wanted = inspect.signature(theirs.test_nD).parameters
    theirs.test_nD(**dict.fromkeys(wanted, rnla.eigsh))
