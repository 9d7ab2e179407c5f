"""Why a solver stopped, and the warnings it may give."""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """Why a solver stopped; the value says what it means and what to do next.

    Examples
    --------
    >>> from rnla import Status
    >>> Status.CONVERGED.value
    'the certificate met the tolerance'
    """

    CONVERGED = "the certificate met the tolerance"
    STAGNATED = (
        "the certificate stopped falling above the tolerance and the best iterate is returned; "
        "a better surrogate may go on: a larger `sketch_size`, or a direct method"
    )
    DIVERGED = (
        "the iteration left the answer that it was close to, and the best iterate is returned; "
        "another surrogate, or a larger `sketch_size`, may converge"
    )
    MAX_ITERATIONS = "the iteration limit was reached; raise `maxiter` or loosen the tolerance"
    STOPPED_BY_CALLBACK = "the callback raised StopIteration; the best iterate is returned"
    OUT_OF_RANGE = (
        "the solution has entries too small for its precision, which rounding lost; convert `A` or "
        "`b` to double precision"
    )
    FELL_BACK = (
        "the randomized method missed the tolerance, so LAPACK solved the problem and met it"
    )
    COMPLETED = "the products asked for were made; `stderr` says how accurate the value is"
    EXACT = "the value is exact up to rounding"
    MAX_MATVECS = (
        "the error bar is still above the tolerance after as many products as allowed; "
        "raise `matvecs` or loosen `rtol`"
    )

    @property
    def met_tolerance(self) -> bool:
        """Whether the certificate of what is returned met the tolerance, if there was one."""
        return self in (Status.CONVERGED, Status.FELL_BACK, Status.COMPLETED, Status.EXACT)


class RnlaWarning(UserWarning):
    """Base class of the warnings rnla gives: there is an answer, but read the message."""


class ConvergenceWarning(RnlaWarning):
    """The certificate of the returned answer is above the tolerance."""
