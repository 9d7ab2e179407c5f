"""SciPy's own tests of `svds`, from the installed SciPy, with ours in its place."""

import pytest
from scipy.sparse.linalg._eigen.tests import test_svds as theirs

from rnla.eigen import svds


class _Patched:
    """Replaces the function that SciPy's tests look up in their module."""

    # Of SciPy 1.18: for the legacy argument `random_state`, which ours never had.
    test_svd_random_state = None

    @pytest.fixture(autouse=True)
    def _ours(self, monkeypatch):
        monkeypatch.setattr(theirs, "svds", svds)


class TestOnce(_Patched, theirs.Test_SVDS_once):
    pass


class TestArpack(_Patched, theirs.Test_SVDS_ARPACK):
    # SciPy's parameters have the id "5" twice.
    @pytest.mark.parametrize("ncv", [*range(-1, 8), 4.5, pytest.param("5", id="text")])
    def test_svds_input_validation_ncv_1(self, ncv):
        super().test_svds_input_validation_ncv_1(ncv)


class TestAuto(_Patched, theirs.SVDSCommonTests):
    def setup_method(self):
        self.solver = "auto"

    # The table of accuracies has SciPy's solvers as keys.
    test_svds_parameter_tol = None


class TestPropack(_Patched, theirs.Test_SVDS_PROPACK):
    @pytest.mark.skip(reason="`maxiter` counts restarts here, not Krylov vectors: none are needed")
    def test_svd_maxiter(self):
        pass
