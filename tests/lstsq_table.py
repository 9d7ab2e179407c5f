"""Every method, every input, and who refuses what."""

import tempfile
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import cases
import numpy as np
import scipy.sparse
from lstsq_cases import gaussian
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import lstsq_refine
from rnla.lstsq import SPIR, IterativeSketching, SketchAndPrecondition
from rnla.sketch import SKETCHES
from rnla.testing import lstsq_problem

M, N = 400, 20

METHODS: dict[str, Any] = {
    "auto": "auto",
    "spir": "spir",
    "spir, lsqr": SPIR(inner="lsqr"),
    "spne": "spne",
    "fossils": "fossils",
    "sirr": "sirr",
    "iterative_sketching": "iterative_sketching",
    "iterative_sketching, damped": IterativeSketching(variant="damped"),
    "iterative_sketching, plain": IterativeSketching(variant="plain"),
    "sketch_and_precondition": "sketch_and_precondition",
    "sketch_and_precondition, zero": SketchAndPrecondition(start="zero"),
    "sketch_and_solve": "sketch_and_solve",
    "gram": "gram",
    "lapack": "lapack",
    "cgls": "cgls",
}


@dataclass(frozen=True)
class Case:
    """What goes in, and the plain problem ``min ||rhs - dense x||`` that it states."""

    A: Any
    b: Any
    dense: Any
    rhs: Any
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def dtype(self):
        """Of the answer."""
        kinds = [array.dtype.newbyteorder("=") for array in (self.A, self.b)]
        return np.result_type(*(np.float64 if kind.kind in "iub" else kind for kind in kinds))

    @property
    def eps(self):
        return float(np.finfo(self.dtype).eps)

    def with_options(self, **options):
        return replace(self, options=options)


def double(array):
    return array.astype(np.result_type(array, np.float64))


def stated(A, b, **options):
    return Case(A, b, double(A), double(b), options)


def problem(rng, dtype=np.float64, *, m=M, n=N, condition=1e3, residual=1e-2):
    A, b, _ = lstsq_problem(m, n, condition=condition, residual=residual, rng=rng, dtype=dtype)
    return stated(A, b)


def of_type(dtype):
    return lambda rng: problem(rng, dtype)


def of_form(form):
    def build(rng):
        case = problem(rng)
        return replace(case, A=form(case.A))

    return build


def of_shape(m, n):
    return lambda rng: stated(rng.standard_normal((m, n)), rng.standard_normal(m))


def with_option(name, make):
    return lambda rng: (case := problem(rng)).with_options(**{name: make(rng, case)})


def integers(rng):
    return stated(rng.integers(-9, 10, (M, N), dtype=np.int8), rng.integers(-9, 10, M))


def repeated_entries(rng):
    # 100 + 100 leaves int8: a sum in the dtype of the entries would be -56.
    A = rng.integers(1, 101, (M, N), dtype=np.int8)
    rows, columns = (np.tile(index.ravel(), 2) for index in np.indices(A.shape))
    coo = scipy.sparse.coo_array((np.tile(A.ravel(), 2), (rows, columns)), A.shape)
    b = rng.standard_normal(M)
    return Case(coo, b, 2.0 * A, b)


def memory_mapped(A):
    # The map keeps a handle of its own.
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, A.dtype, "w+", shape=A.shape)
    mapped[:] = A
    return mapped


def by_vectors(A):
    return LinearOperator(
        A.shape, matvec=lambda x: A @ x, rmatvec=lambda y: A.conj().T @ y, dtype=A.dtype
    )


def by_blocks(A):
    return LinearOperator(
        A.shape,
        matvec=lambda x: A @ x,
        rmatvec=lambda y: A.conj().T @ y,
        matmat=lambda X: A @ X,
        rmatmat=lambda Y: A.conj().T @ Y,
        dtype=A.dtype,
    )


def without_adjoint(A):
    return LinearOperator(A.shape, matvec=lambda x: A @ x, dtype=A.dtype)


def twice(rng):
    B = gaussian(M, N // 2, rng)
    return stated(np.hstack([B, B]), rng.standard_normal(M))


def zero_columns(rng):
    A = gaussian(M, N, rng)
    A[:, [0, 7]] = 0
    return stated(A, rng.standard_normal(M))


def scaled_columns(rng):
    A = gaussian(M, N, rng) * rng.permutation(np.logspace(-12, 12, N))
    return stated(A, A @ rng.standard_normal(N) + rng.standard_normal(M))


def many_columns(rng):
    A, B = problem(rng).A, gaussian(M, 5, rng)
    B[:, 3] = 0
    return stated(A, B)


def complex_rhs(rng):
    return stated(problem(rng).A, gaussian(M, 1, rng, np.complex128)[:, 0])


def damped_and_weighted(form, *, damp=0.0, weighted=False, m=M, n=N):
    """State the stacked problem ``[sqrt(W) A; damp I]`` beside A, damping and weights."""

    def build(rng):
        A, b = gaussian(m, n, rng), rng.standard_normal(m)
        w = rng.random(m) * (rng.random(m) > 0.1) if weighted else None
        root = np.ones(m) if w is None else np.sqrt(w)
        dense, rhs = root[:, None] * A, root * b
        if damp:
            dense, rhs = np.vstack([dense, damp * np.eye(n)]), np.r_[rhs, np.zeros(n)]
        return Case(form(A), b, dense, rhs, {"damp": damp, "weights": w})

    return build


def earlier(rng, case):
    return lstsq_refine(case.A, case.b, method=SPIR(sketch_size=120), rng=0).preconditioner


INPUTS: dict[str, Any] = {
    "C": of_form(np.ascontiguousarray),
    **{name: of_form(layout) for name, layout in cases.LAYOUTS.items()},
    "memory-mapped": of_form(memory_mapped),
    "float32": of_type(np.float32),
    "complex64": of_type(np.complex64),
    "complex128": of_type(np.complex128),
    "integer": integers,
    "integer coo, repeated entries": repeated_entries,
    "operator by vectors": of_form(by_vectors),
    "operator by blocks": of_form(by_blocks),
    "operator of a sparse matrix": of_form(lambda A: aslinearoperator(scipy.sparse.csr_array(A))),
    "operator without rmatvec": of_form(without_adjoint),
    "m = n": of_shape(60, 60),
    "m = n + 1": of_shape(61, 60),
    "m = 2 n": of_shape(60, 30),
    "m = 6 n": of_shape(120, 20),
    "m < n": of_shape(20, 60),
    "m < n, damp": damped_and_weighted(np.asarray, damp=0.5, m=20, n=60),
    "[B B]": twice,
    "zero columns": zero_columns,
    "condition 1e12": lambda rng: problem(rng, condition=1e12, residual=1e-3),
    "scaled columns": scaled_columns,
    "many right-hand sides": many_columns,
    "no right-hand side": lambda rng: stated(gaussian(M, N, rng), np.ones((M, 0))),
    "complex b": complex_rhs,
    "b = 0": lambda rng: stated(gaussian(M, N, rng), np.zeros(M)),
    "damp": damped_and_weighted(np.asarray, damp=0.7),
    "damp, csr": damped_and_weighted(scipy.sparse.csr_array, damp=0.7),
    "damp, operator": damped_and_weighted(by_vectors, damp=0.7),
    "weights": damped_and_weighted(np.asarray, weighted=True),
    "weights, csc": damped_and_weighted(scipy.sparse.csc_array, weighted=True),
    "weights, damp, F": damped_and_weighted(np.asfortranarray, damp=0.7, weighted=True),
    "weights, damp, operator": damped_and_weighted(by_blocks, damp=0.7, weighted=True),
    "x0": with_option("x0", lambda rng, case: np.linalg.lstsq(case.A, case.b)[0] + 1e-6),
    "x0 = 0": with_option("x0", lambda rng, case: np.zeros(N)),
    "x0 = 1e300": with_option("x0", lambda rng, case: np.full(N, 1e300)),
    "preconditioner": with_option("preconditioner", earlier),
    "preconditioner, x0 = 1e300": lambda rng: (case := problem(rng)).with_options(
        preconditioner=earlier(rng, case), x0=np.full(N, 1e300)
    ),
    **{
        f"sketch {family}": with_option("sketch", lambda rng, case, family=family: family)
        for family in sorted(SKETCHES)
    },
    "sketch operator": with_option(
        "sketch", lambda rng, case: SKETCHES["gaussian"].draw(240, M, rng=rng)
    ),
    "sketch_size": with_option("sketch_size", lambda rng, case: 160),
    "1 x 1": of_shape(1, 1),
    "m x 1": of_shape(M, 1),
    "m x 0": of_shape(5, 0),
    "0 x n": of_shape(0, 5),
    "0 x 0": of_shape(0, 0),
}


SKETCHES_NAMED = tuple(f"sketch {family}" for family in SKETCHES if family != "sparse_sign")
# Not tall enough for a sketch: LAPACK takes over, and says so.
NOT_TALL = ("m = n", "m = n + 1", "m = 2 n", "m = 6 n", "m < n, damp", "1 x 1")
OPERATORS = (
    *(
        name
        for name in INPUTS
        if name.startswith("operator") and name != "operator without rmatvec"
    ),
    "damp, operator",
    "weights, damp, operator",
)
EMPTY = ("m x 0", "0 x n", "0 x 0", "no right-hand side")
# Laws of their own.
APART = ("m < n", "operator without rmatvec")


@dataclass(frozen=True)
class Refusal:
    """One row of the table in `docs/guide/least-squares.md`."""

    words: str
    methods: tuple[str, ...]
    inputs: tuple[str, ...]
    instead: str


REFUSALS = (
    Refusal(
        "rank-deficient, or condition above 1e7",
        ("gram",),
        ("[B B]", "zero columns", "condition 1e12"),
        "spir",
    ),
    Refusal(
        "`x0`",
        ("sketch_and_solve", "sketch_and_precondition, zero"),
        ("x0", "x0 = 0", "x0 = 1e300", "preconditioner, x0 = 1e300"),
        "spir",
    ),
    Refusal(
        "`preconditioner`",
        ("spne", "sketch_and_solve", "gram", "lapack", "cgls"),
        ("preconditioner", "preconditioner, x0 = 1e300"),
        "spir",
    ),
    Refusal(
        "`preconditioner`",
        ("iterative_sketching, plain",),
        ("preconditioner", "preconditioner, x0 = 1e300"),
        "iterative_sketching",
    ),
    Refusal(
        "`sketch` or `sketch_size`",
        ("gram", "lapack", "cgls"),
        (*SKETCHES_NAMED, "sketch operator", "sketch_size"),
        "spir",
    ),
    Refusal(
        "fewer than $20 n$ sketch rows",
        ("iterative_sketching, plain",),
        ("sketch operator", "sketch_size"),
        "iterative_sketching",
    ),
    Refusal("an operator", ("cgls",), OPERATORS, "spir"),
)


def instead(method, name):
    """Return the method to use where this one refuses, or None."""
    rows = (row for row in REFUSALS if method in row.methods and name in row.inputs)
    return next((row.instead for row in rows), None)


@cache
def case_of(name, seed):
    """Build an input; solvers leave it as it is."""
    return INPUTS[name](np.random.default_rng([seed, *name.encode()]))


def solve(method, case, seed, solver=lstsq_refine):
    """Call with the sketch inside the method object where it has to be there."""
    value, options = METHODS[method], dict(case.options)
    if not isinstance(value, str):
        carried = {k: options.pop(k) for k in ("sketch", "sketch_size") if k in options}
        value = replace(value, **carried)
    return solver(case.A, case.b, method=value, rng=seed, **options)
