"""The public surface: a change of it shows in the diff of this file."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest
import scipy.sparse.linalg

import rnla
import rnla.eigen
import rnla.lstsq
import rnla.sketch
import rnla.testing

PACKAGE = Path(rnla.__file__).parent
# `rnla.trace` is a function, the module of that name is only imported from.
TRACE = importlib.import_module("rnla.trace")

NAMES = {
    rnla: [
        "ConvergenceWarning",
        "EigenResult",
        "Estimate",
        "FunctionEstimate",
        "LstsqResult",
        "RefineResult",
        "RnlaWarning",
        "SpectralDensity",
        "SpectralQuadrature",
        "Status",
        "Surrogate",
        "diag",
        "eigen",
        "eigsh",
        "epsi",
        "get_num_threads",
        "leverage_scores",
        "limit_threads",
        "logdet",
        "lstsq",
        "lstsq_refine",
        "nystrom",
        "range_finder",
        "refine",
        "row_norms",
        "rsvd",
        "set_num_threads",
        "show_versions",
        "sketch",
        "spectral_density",
        "svds",
        "trace",
        "trace_function",
        "warmup",
    ],
    rnla.eigen: ["EigenNoConvergence", "EigenResult", "eigsh", "epsi", "solve", "svds"],
    rnla.lstsq: [
        "CGLS",
        "FOSSILS",
        "LAPACK",
        "SIRR",
        "SPIR",
        "SPNE",
        "Choice",
        "Gram",
        "IterativeSketching",
        "NewtonResult",
        "RidgePath",
        "SketchAndPrecondition",
        "SketchAndSolve",
        "backward_error",
        "choose_method",
        "lstsq_refine",
        "newton_sketch",
        "ridge_path",
    ],
    rnla.sketch: [
        "SRHT",
        "CountSketch",
        "Gaussian",
        "Rademacher",
        "RowSampling",
        "SketchingOperator",
        "SparseSign",
        "leverage_scores",
    ],
    TRACE: [
        "BKS",
        "AHutchPP",
        "Choice",
        "ConfidenceInterval",
        "Estimate",
        "Exact",
        "FunctionEstimate",
        "HutchPP",
        "Hutchinson",
        "NAHutchPP",
        "SpectralDensity",
        "SpectralQuadrature",
        "UDiagPP",
        "XDiag",
        "XNysDiag",
        "XNysTrace",
        "XRowNorm",
        "XSymTrace",
        "XTrace",
        "choose_method",
        "diag",
        "logdet",
        "row_norms",
        "spectral_density",
        "trace",
        "trace_function",
    ],
}


@pytest.mark.parametrize("module", NAMES, ids=lambda m: m.__name__)
def test_public_names(module):
    assert list(module.__all__) == NAMES[module]


def test_signature_of_lstsq_refine():
    parameters = inspect.signature(rnla.lstsq_refine).parameters
    assert {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY} == {
        "damp": 0.0,
        "weights": None,
        "x0": None,
        "rcond": None,
        "method": "auto",
        "sketch": "sparse_sign",
        "sketch_size": None,
        "preconditioner": None,
        "rtol": None,
        "maxiter": None,
        "callback": None,
        "rng": None,
        "check_finite": True,
    }


def test_signature_of_eigsh():
    # SciPy's, and after it what SciPy has not.
    parameters = inspect.signature(rnla.eigsh).parameters
    theirs = inspect.signature(scipy.sparse.linalg.eigsh).parameters
    assert list(parameters)[: len(theirs)] == list(theirs)
    assert all(parameters[name].default == p.default for name, p in theirs.items())
    assert {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY} == {
        "method": "auto",
        "surrogate": None,
        "sketch_size": None,
        "block_size": None,
        "verify": True,
        "callback": None,
    }


def test_signature_of_refine():
    parameters = inspect.signature(rnla.refine).parameters
    assert list(parameters)[:3] == ["A", "b", "approximate_solver"]
    assert {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY} == {
        "x0": None,
        "rtol": None,
        "maxiter": None,
        "acceleration": None,
        "memory": None,
        "callback": None,
        "check_finite": True,
    }


def test_signature_of_trace():
    parameters = inspect.signature(rnla.trace).parameters
    assert list(parameters)[:2] == ["A", "matvecs"]
    assert {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY} == {
        "rtol": None,
        "atol": 0.0,
        "confidence": 0.95,
        "assume": "general",
        "method": "auto",
        "test_vectors": "auto",
        "resphere": None,
        "previous": None,
        "block": None,
        "shape": None,
        "dtype": None,
        "rng": None,
    }


FUNCTIONS = {
    "rtol": None,
    "atol": 0.0,
    "confidence": 0.95,
    "method": "auto",
    "degree": None,
    "spectrum": None,
    "block_size": None,
    "test_vectors": "auto",
    "shape": None,
    "dtype": None,
    "block": None,
    "rng": None,
}
DENSITY = set(FUNCTIONS) - {"rtol", "atol", "spectrum", "block_size"} | {"points", "width"}


@pytest.mark.parametrize(
    ("function", "first"), [(rnla.logdet, ["A"]), (rnla.trace_function, ["f", "A"])]
)
def test_signature_of_matrix_functions(function, first):
    parameters = inspect.signature(function).parameters
    assert list(parameters)[: len(first) + 1] == [*first, "matvecs"]
    keywords = {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert keywords == FUNCTIONS
    density = inspect.signature(rnla.spectral_density).parameters
    assert {name for name, p in density.items() if p.kind is p.KEYWORD_ONLY} == DENSITY


VALUES = (
    rnla.EigenResult,
    rnla.Surrogate,
    TRACE.Choice,
    TRACE.ConfidenceInterval,
    rnla.Estimate,
    rnla.FunctionEstimate,
    rnla.LstsqResult,
    rnla.RefineResult,
    rnla.SpectralDensity,
    rnla.SpectralQuadrature,
    rnla.lstsq.Choice,
    rnla.lstsq.NewtonResult,
    rnla.lstsq.RidgePath,
    rnla.sketch.SketchingOperator,
)


def public_objects():
    for module in NAMES:
        for name in module.__all__:
            member = getattr(module, name)
            if inspect.isclass(member) or inspect.isfunction(member):
                yield pytest.param(member, id=f"{module.__name__}.{name}")


@pytest.mark.parametrize("member", list(public_objects()))
def test_public_functions_have_examples(member):
    documented = inspect.getdoc(member) or ""
    is_warning = inspect.isclass(member) and issubclass(member, Warning)
    is_value = member in VALUES
    assert documented
    assert is_warning or is_value or ">>> " in documented


def test_version_stands_in_the_citation():
    citation = PACKAGE.parent / "CITATION.cff"
    if not citation.exists():
        citation = Path(__file__).parents[2] / "CITATION.cff"
    found = re.search(r"^version: [\"']?([\w.]+)", citation.read_text(), re.M)
    assert found is not None
    assert found[1] == rnla.__version__


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_house_rules(path):
    text = path.read_text()
    assert text.count("\n") <= 400
    assert not re.search(r"filterwarnings|simplefilter|numba\.config", text)
    assert not re.search(r"fastmath=True|\bprange\b|parallel=True", text)
    if "cli" not in path.parts and path.name not in ("__main__.py", "versions.py"):
        calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
        assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]
