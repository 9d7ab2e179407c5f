"""Methods of least squares: frozen values that hold options and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from rnla._core.checks import check_int, check_positive_float, check_word
from rnla.sketch import SketchingOperator
from rnla.sketch._families import SKETCHES


@dataclass(frozen=True, kw_only=True)
class SketchedMethod:
    """The options of every method that starts from a sketch ``S A``.

    Parameters
    ----------
    sketch : str or SketchingOperator
        Family of the sketch ("sparse_sign", "count_sketch", "srht", "gaussian", "rademacher")
        or an operator of shape (d, m).
    sketch_size : int or None
        Rows of the sketch, at least 2 n is advised and n is the least; None: chosen.
    """

    name: ClassVar[str]
    sketch: str | SketchingOperator = "sparse_sign"
    sketch_size: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.sketch, SketchingOperator):
            if self.sketch_size is not None:
                raise ValueError("`sketch_size` must be None when `sketch` is an operator")
        elif not isinstance(self.sketch, str) or self.sketch not in SKETCHES:
            known = ", ".join(sorted(SKETCHES))
            raise ValueError(
                f"`sketch` must be one of {known} or a SketchingOperator, got {self.sketch!r}"
            )
        if self.sketch_size is not None:
            check_int(self.sketch_size, "sketch_size", 1)


@dataclass(frozen=True, kw_only=True)
class SPIR(SketchedMethod):
    """Sketched preconditioned iterative refinement: the randomized, backward stable engine.

    Parameters
    ----------
    sketch : str or SketchingOperator
        Family of the sketch ("sparse_sign", "count_sketch", "srht", "gaussian", "rademacher")
        or an operator of shape (d, m).
    sketch_size : int or None
        Rows of the sketch, at least 2 n is advised and n is the least; None: from a cost model.
    inner : {"cg", "lsqr"}
        What solves for a round's correction: conjugate gradients read A once per step, LSQR
        twice, with the same accuracy.
    inner_dtype : {"float64", "auto"}
        In what precision a round's products read a dense A. "auto" makes a copy of A in single
        precision, half as large, and reads that, where the estimated condition number is at most
        1e4 and ``inner="cg"``; residuals and certificates keep to A itself, so the accuracy is the
        same. Whether it is faster depends on the machine: docs/develop/kernels.md has figures.

    Examples
    --------
    >>> from rnla.lstsq import SPIR
    >>> SPIR(sketch="srht").name
    'spir'
    """

    name: ClassVar[str] = "spir"
    inner: Literal["cg", "lsqr"] = "cg"
    inner_dtype: Literal["float64", "auto"] = "float64"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_word(self.inner, "inner", ("cg", "lsqr"))
        check_word(self.inner_dtype, "inner_dtype", ("float64", "auto"))


@dataclass(frozen=True, kw_only=True)
class SPNE(SketchedMethod):
    """Sketch-preconditioned normal equations: Cholesky of the Gram matrix of ``A R^-1``.

    Matrix products instead of iterations: three readings of A and ``3 m n^2`` flops for any
    condition number up to ``1 / rcond``; cheapest for few columns or many right-hand sides.

    Parameters
    ----------
    sketch : str or SketchingOperator
        As for `SPIR`.
    sketch_size : int or None
        As for `SPIR`.

    Examples
    --------
    >>> from rnla.lstsq import SPNE
    >>> SPNE(sketch_size=400).sketch_size
    400
    """

    name: ClassVar[str] = "spne"


@dataclass(frozen=True, kw_only=True)
class FOSSILS(SketchedMethod):
    """Two-round refinement with Polyak's heavy ball instead of conjugate gradients.

    No inner products, so steps can be fused across machines; but its parameters rely on the
    distortion ``sqrt(n / d)`` of the sketch, and below about ``d = 3 n`` it diverges now and then.

    Parameters
    ----------
    sketch : str or SketchingOperator
        As for `SPIR`.
    sketch_size : int or None
        As for `SPIR`; None: 12 (n + 8).

    Examples
    --------
    >>> from rnla.lstsq import FOSSILS
    >>> FOSSILS().name
    'fossils'
    """

    name: ClassVar[str] = "fossils"


@dataclass(frozen=True, kw_only=True)
class SIRR(SketchedMethod):
    """Sketched iterative and recursive refinement: the correction is itself refined, recursively.

    Parameters
    ----------
    sketch : str or SketchingOperator
        As for `SPIR`.
    sketch_size : int or None
        As for `SPIR`; None: 12 (n + 8).
    depth : int or None
        Depth of the recursion, 1 to 8; a level doubles the cost of a correction. None: grows with
        the rounds up to ``log2(log4(condition))``.
    krylov : int
        Sketched solutions combined at the bottom of the recursion, 1 to 8.

    Examples
    --------
    >>> from rnla.lstsq import SIRR
    >>> SIRR(depth=2).krylov
    2
    """

    name: ClassVar[str] = "sirr"
    depth: int | None = None
    krylov: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth is not None:
            check_int(self.depth, "depth", 1, 8)
        check_int(self.krylov, "krylov", 1, 8)


@dataclass(frozen=True, kw_only=True)
class IterativeSketching(SketchedMethod):
    """Stationary refinement with the sketch's factor; forward but **not** backward stable.

    Parameters
    ----------
    sketch : str or SketchingOperator
        As for `SPIR`.
    sketch_size : int or None
        As for `SPIR`; None: 12 (n + 8), for "plain" 30 (n + 8). "plain" accepts 20 n or more, for
        it diverges below about 12 n.
    variant : {"momentum", "damped", "plain"}
        "plain" adds the whole correction, "damped" the fraction that is best for the distortion
        of the sketch, "momentum" also a multiple of the last change.

    Examples
    --------
    >>> from rnla.lstsq import IterativeSketching
    >>> IterativeSketching(variant="damped").variant
    'damped'
    """

    name: ClassVar[str] = "iterative_sketching"
    variant: Literal["momentum", "damped", "plain"] = "momentum"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_word(self.variant, "variant", ("momentum", "damped", "plain"))


@dataclass(frozen=True, kw_only=True)
class SketchAndPrecondition(SketchedMethod):
    """LSQR on ``A R^-1``, once and without refinement; **not** backward stable.

    For ill-conditioned A it is not forward stable, either.

    Parameters
    ----------
    sketch : str or SketchingOperator
        As for `SPIR`.
    sketch_size : int or None
        As for `SPIR`.
    start : {"sketch", "zero"}
        Start from the solution of the sketched problem, or cold, and then without `x0`. With a
        `preconditioner` nothing is sketched, and the start is cold unless `x0` is given.

    Examples
    --------
    >>> from rnla.lstsq import SketchAndPrecondition
    >>> SketchAndPrecondition(start="zero").start
    'zero'
    """

    name: ClassVar[str] = "sketch_and_precondition"
    start: Literal["sketch", "zero"] = "sketch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_word(self.start, "start", ("sketch", "zero"))


@dataclass(frozen=True, kw_only=True)
class SketchAndSolve(SketchedMethod):
    """The solution of the sketched problem, with its certificate; a rough guess, not an answer.

    Its residual is larger than the smallest one by a factor of about ``1 + n / d``.

    Parameters
    ----------
    sketch : str or SketchingOperator
        As for `SPIR`.
    sketch_size : int or None
        As for `SPIR`.

    Examples
    --------
    >>> from rnla.lstsq import SketchAndSolve
    >>> SketchAndSolve(sketch="count_sketch").sketch
    'count_sketch'
    """

    name: ClassVar[str] = "sketch_and_solve"


@dataclass(frozen=True, kw_only=True)
class Gram:
    """Cholesky factor of ``A^H A`` as the surrogate, refined against A; well-conditioned A only.

    Parameters
    ----------
    condition_limit : float
        Largest condition number, after column scaling, that is accepted; above it, or when the
        Cholesky factorization fails, "auto" goes on to SPIR and ``method="gram"`` raises.

    Examples
    --------
    >>> from rnla.lstsq import Gram
    >>> Gram().condition_limit
    10000000.0
    """

    name: ClassVar[str] = "gram"
    condition_limit: float = 1e7

    def __post_init__(self) -> None:
        check_positive_float(self.condition_limit, "condition_limit", below=1e8)


@dataclass(frozen=True, kw_only=True)
class LAPACK:
    """Householder QR by LAPACK (an SVD when rank deficient), certified like the others.

    Examples
    --------
    >>> from rnla.lstsq import LAPACK
    >>> LAPACK().name
    'lapack'
    """

    name: ClassVar[str] = "lapack"


@dataclass(frozen=True, kw_only=True)
class CGLS:
    """Conjugate gradients on the column-scaled A, refined, without any factor.

    The memory of a few vectors, for a dense or sparse A with too many columns for a factor. The
    number of steps grows with the condition number, at the most 4000 by default: it is for
    well-conditioned problems, and says so of others. The rank is not determined.

    Examples
    --------
    >>> from rnla.lstsq import CGLS
    >>> CGLS().name
    'cgls'
    """

    name: ClassVar[str] = "cgls"


Method: TypeAlias = SketchedMethod | Gram | LAPACK | CGLS
SKETCHED: tuple[type[SketchedMethod], ...] = (
    SPIR,
    SPNE,
    FOSSILS,
    SIRR,
    IterativeSketching,
    SketchAndPrecondition,
    SketchAndSolve,
)
NAMES = (*(method.name for method in SKETCHED), Gram.name, LAPACK.name, CGLS.name)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What `choose_method` decided.

    Attributes
    ----------
    method : SPIR, SPNE, Gram, LAPACK or CGLS
        Ready to be passed to `rnla.lstsq_refine`.
    reason : str
        One sentence that says why.
    """

    method: Method
    reason: str = field(compare=False)
