"""Methods of trace estimation: frozen values that hold options and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from rnla._core.checks import check_int, check_word
from rnla.trace._vectors import KINDS, ROTATION_INVARIANT

TestVectors: TypeAlias = Literal["auto", "signs", "steinhaus", "gaussian", "sphere"]


@dataclass(frozen=True, kw_only=True)
class _Sampling:
    """The option of every method that draws test vectors."""

    name: ClassVar[str]
    test_vectors: TestVectors = "auto"

    def __post_init__(self) -> None:
        check_word(self.test_vectors, "test_vectors", ("auto", *KINDS))


@dataclass(frozen=True, kw_only=True)
class _Resphering(_Sampling):
    """The options of methods that sample what a projection leaves of a test vector."""

    resphere: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resphere is not None:
            if not isinstance(self.resphere, (bool, np.bool_)):
                raise TypeError(f"`resphere` must be True, False or None, got {self.resphere!r}")
            object.__setattr__(self, "resphere", bool(self.resphere))
        if self.resphere and self.test_vectors not in ("auto", *ROTATION_INVARIANT):
            raise ValueError(
                "`resphere`=True is unbiased only for test vectors whose law rotations leave as it "
                f"is, 'gaussian' and 'sphere', got test_vectors={self.test_vectors!r}"
            )


@dataclass(frozen=True, kw_only=True)
class Hutchinson(_Sampling):
    """The mean of ``w* A w`` over random test vectors; one product each, and nothing is kept.

    Parameters
    ----------
    test_vectors : {"auto", "signs", "steinhaus", "gaussian", "sphere"}
        "auto" takes signs, for complex A numbers of modulus one.

    Examples
    --------
    >>> from rnla.trace import Hutchinson
    >>> Hutchinson(test_vectors="sphere").name
    'hutchinson'
    """

    name: ClassVar[str] = "hutchinson"


@dataclass(frozen=True, kw_only=True)
class HutchPP(_Resphering):
    """A randomized SVD's trace, debiased by Hutchinson's estimator on what it leaves.

    ``tr(Q* A Q)`` plus the mean of ``x* A x`` over test vectors projected away from Q, an
    orthonormal basis of A times a Gaussian matrix.

    Parameters
    ----------
    test_vectors : {"auto", "signs", "steinhaus", "gaussian", "sphere"}
        Of sketch and residual; "auto" takes Gaussian ones if they are resphered, else signs.
    resphere : bool or None
        Give projected test vectors the length that vectors of the complement would have. None:
        where the test vectors allow.
    sketch_size : int or None
        Columns of Q, two products each, which leaves ``matvecs - 2 * sketch_size`` to Hutchinson;
        None: a third of the products.

    Examples
    --------
    >>> from rnla.trace import HutchPP
    >>> HutchPP(sketch_size=40).sketch_size
    40
    """

    name: ClassVar[str] = "hutchpp"
    sketch_size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sketch_size is not None:
            check_int(self.sketch_size, "sketch_size", 0)


@dataclass(frozen=True, kw_only=True)
class NAHutchPP(_Sampling):
    """Hutch++ in one pass over A, all products at once; for real symmetric or Hermitian A only.

    Parameters
    ----------
    test_vectors : {"auto", "signs", "steinhaus", "gaussian", "sphere"}
        "auto" takes signs, for complex A numbers of modulus one.

    Examples
    --------
    >>> from rnla.trace import NAHutchPP
    >>> NAHutchPP().name
    'na_hutchpp'
    """

    name: ClassVar[str] = "na_hutchpp"


@dataclass(frozen=True, kw_only=True)
class AHutchPP:
    """Hutch++ that chooses its split and stops by a tolerance it meets with given probability.

    Examples
    --------
    >>> from rnla.trace import AHutchPP
    >>> AHutchPP().name
    'a_hutchpp'
    """

    name: ClassVar[str] = "a_hutchpp"


@dataclass(frozen=True, kw_only=True)
class XTrace(_Resphering):
    """Hutch++ with every test vector in both roles, one left out of the sketch at a time.

    Parameters
    ----------
    test_vectors : {"auto", "signs", "steinhaus", "gaussian", "sphere"}
        "auto" takes Gaussian ones if they are resphered, else signs.
    resphere : bool or None
        As for `HutchPP`.

    Examples
    --------
    >>> from rnla.trace import XTrace
    >>> XTrace(test_vectors="signs")
    XTrace(test_vectors='signs', resphere=None)
    """

    name: ClassVar[str] = "xtrace"


@dataclass(frozen=True, kw_only=True)
class XNysTrace(_Resphering):
    """Leave-one-out estimator with Nyström approximations, for positive semidefinite A.

    Parameters
    ----------
    test_vectors : {"auto", "signs", "steinhaus", "gaussian", "sphere"}
        As for `XTrace`.
    resphere : bool or None
        As for `HutchPP`.

    Examples
    --------
    >>> from rnla.trace import XNysTrace
    >>> XNysTrace().name
    'xnystrace'
    """

    name: ClassVar[str] = "xnystrace"


@dataclass(frozen=True, kw_only=True)
class XSymTrace(_Resphering):
    """XNysTrace without the demand that A be semidefinite; heavy-tailed where it is indefinite.

    Parameters
    ----------
    test_vectors : {"auto", "signs", "steinhaus", "gaussian", "sphere"}
        As for `XTrace`.
    resphere : bool or None
        As for `HutchPP`.

    Examples
    --------
    >>> from rnla.trace import XSymTrace
    >>> XSymTrace().name
    'xsymtrace'
    """

    name: ClassVar[str] = "xsymtrace"


@dataclass(frozen=True, kw_only=True)
class Exact:
    """Products with the columns of the identity, n of them.

    Examples
    --------
    >>> from rnla.trace import Exact
    >>> Exact().name
    'exact'
    """

    name: ClassVar[str] = "exact"


Method: TypeAlias = (
    Hutchinson | HutchPP | NAHutchPP | AHutchPP | XTrace | XNysTrace | XSymTrace | Exact
)
METHODS: tuple[type[Method], ...] = (
    Hutchinson,
    HutchPP,
    NAHutchPP,
    AHutchPP,
    XTrace,
    XNysTrace,
    XSymTrace,
    Exact,
)
# Those that need A = A*; the third kind also that it is semidefinite.
HERMITIAN_METHODS = (NAHutchPP, XNysTrace, XSymTrace)
ADAPTIVE_METHODS = (Hutchinson, AHutchPP, XTrace, XNysTrace, XSymTrace, Exact)


def vector_kind(method: _Sampling, *, complex_numbers: bool) -> str:
    """Return what "auto" stands for in `test_vectors`."""
    if method.test_vectors != "auto":
        return method.test_vectors
    if isinstance(method, _Resphering) and method.resphere is not False:
        return "gaussian"
    return "steinhaus" if complex_numbers else "signs"


def resphered(method: _Resphering, kind: str) -> bool:
    """Return what None stands for in `resphere`."""
    return kind in ROTATION_INVARIANT if method.resphere is None else method.resphere
