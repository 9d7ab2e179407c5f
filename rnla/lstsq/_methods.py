"""Methods of least squares: frozen values that hold options and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from rnla._core.checks import check_int, check_positive_float
from rnla.sketch import SketchingOperator
from rnla.sketch._families import SKETCHES


@dataclass(frozen=True, kw_only=True)
class SPIR:
    """Sketched preconditioned iterative refinement: the randomized, backward stable engine.

    Parameters
    ----------
    sketch : str or SketchingOperator
        Family of the sketch ("sparse_sign", "count_sketch", "srht", "gaussian", "rademacher")
        or an operator of shape (d, m).
    sketch_size : int or None
        Rows of the sketch, at least 2 n is advised and n is the least; None: from a cost model.

    Examples
    --------
    >>> from rnla.lstsq import SPIR
    >>> SPIR(sketch="srht").name
    'spir'
    """

    name: ClassVar[str] = "spir"
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
    1000000.0
    """

    name: ClassVar[str] = "gram"
    condition_limit: float = 1e6

    def __post_init__(self) -> None:
        check_positive_float(self.condition_limit, "condition_limit", below=1e7)


@dataclass(frozen=True, kw_only=True)
class LAPACK:
    """Householder QR by LAPACK (an SVD when rank deficient or m < n), certified like the others.

    Examples
    --------
    >>> from rnla.lstsq import LAPACK
    >>> LAPACK().name
    'lapack'
    """

    name: ClassVar[str] = "lapack"


Method: TypeAlias = SPIR | Gram | LAPACK


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What `choose_method` decided.

    Attributes
    ----------
    method : SPIR, Gram or LAPACK
        Ready to be passed to `rnla.lstsq_refine`.
    reason : str
        One sentence that says why.
    """

    method: Method
    reason: str = field(compare=False)
