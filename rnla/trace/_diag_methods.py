"""Methods for diagonals and row norms: frozen values that hold options and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from rnla._core.checks import check_int, check_word
from rnla.trace._methods import Exact

Signs: TypeAlias = Literal["auto", "signs", "steinhaus"]
SIGNS = ("auto", "signs", "steinhaus")


@dataclass(frozen=True, kw_only=True)
class _Signed:
    """The option of methods that need entries of modulus one."""

    name: ClassVar[str]
    test_vectors: Signs = "auto"

    def __post_init__(self) -> None:
        check_word(self.test_vectors, "test_vectors", SIGNS)

    def kind(self, *, complex_numbers: bool) -> str:
        """Return what "auto" stands for in `test_vectors`."""
        if self.test_vectors != "auto":
            return self.test_vectors
        return "steinhaus" if complex_numbers else "signs"


@dataclass(frozen=True, kw_only=True)
class BKS(_Signed):
    """The mean of ``conj(w) * (A w)`` over random signs w, after Bekas, Kokiopoulou and Saad.

    Parameters
    ----------
    test_vectors : {"auto", "signs", "steinhaus"}
        "auto" takes signs, for complex A numbers of modulus one.

    Examples
    --------
    >>> from rnla.trace import BKS
    >>> BKS().name
    'bks'
    """

    name: ClassVar[str] = "bks"


@dataclass(frozen=True, kw_only=True)
class UDiagPP(_Signed):
    """The diagonal of ``Q Q* A`` plus BKS on ``(I - Q Q*) A``: Diag++ without its bias.

    Parameters
    ----------
    test_vectors : {"auto", "signs", "steinhaus"}
        As for `BKS`.
    sketch_size : int or None
        Columns of Q, two products each, which leaves the rest to BKS; None: a third of the
        products.

    Examples
    --------
    >>> from rnla.trace import UDiagPP
    >>> UDiagPP(sketch_size=20).sketch_size
    20
    """

    name: ClassVar[str] = "udiagpp"
    sketch_size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sketch_size is not None:
            check_int(self.sketch_size, "sketch_size", 0)


@dataclass(frozen=True, kw_only=True)
class XDiag(_Signed):
    """UDiag++ with every test vector in both roles, one left out of the sketch at a time.

    Parameters
    ----------
    test_vectors : {"auto", "signs", "steinhaus"}
        As for `BKS`.

    Examples
    --------
    >>> from rnla.trace import XDiag
    >>> XDiag().name
    'xdiag'
    """

    name: ClassVar[str] = "xdiag"


@dataclass(frozen=True, kw_only=True)
class XNysDiag(_Signed):
    """Leave-one-out diagonal with Nyström approximations, for positive semidefinite A.

    Parameters
    ----------
    test_vectors : {"auto", "signs", "steinhaus"}
        As for `BKS`.

    Examples
    --------
    >>> from rnla.trace import XNysDiag
    >>> XNysDiag().name
    'xnysdiag'
    """

    name: ClassVar[str] = "xnysdiag"


@dataclass(frozen=True, kw_only=True)
class XRowNorm(_Signed):
    """Norms of the rows of ``A Q``, and of what is left: one test vector left out at a time.

    Parameters
    ----------
    test_vectors : {"auto", "signs", "steinhaus"}
        As for `BKS`.

    Examples
    --------
    >>> from rnla.trace import XRowNorm
    >>> XRowNorm().name
    'xrownorm'
    """

    name: ClassVar[str] = "xrownorm"


DiagMethod: TypeAlias = BKS | UDiagPP | XDiag | XNysDiag | Exact
DIAG_METHODS: tuple[type[DiagMethod], ...] = (BKS, UDiagPP, XDiag, XNysDiag, Exact)
