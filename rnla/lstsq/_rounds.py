"""What every iteration shares: an iterate with its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Recertify, State
from rnla.linalg.normal import NormalOperator
from rnla.lstsq._certificate import KarlsonWalden
from rnla.lstsq._path_operators import PathCertificate, PathNormal
from rnla.lstsq._quadrature import QuadratureCertificate

# A round aims below the tolerance, because its running estimate drifts from the truth.
AIM = 0.25


@dataclass
class Round:
    """Iterate and gradient with its certificate, one column per right-hand side.

    `recertify` measures the errors of another iterate, which must be close to this one.
    """

    X: NDArray[Any]
    G: NDArray[Any]
    r_norm: NDArray[np.float64]
    errors: NDArray[np.float64]
    recertify: Recertify

    def state(self, n_iter: int, late: NDArray[np.bool_] | None = None) -> State:
        """Return it as the driver's certified state, late if a column is."""
        X = self.X
        return State(
            n_iter=n_iter,
            error=worst(self.errors),
            certified=True,
            form=lambda: X,
            residual_norm=self.r_norm,
            column_errors=self.errors,
            recertify=self.recertify,
            late=late is not None and bool(late.any()),
        )


def certified(
    A: NormalOperator | PathNormal,
    B: NDArray[Any],
    X: NDArray[Any],
    certificate: KarlsonWalden | PathCertificate | QuadratureCertificate,
    tolerance: float,
) -> Round:
    """Form the residual of `X` anew, its gradient and its certificate: one reading of A."""
    G, r_norm = A.gradient(X, B)
    errors = certificate.certify(G, r_norm, certificate.size(X), AIM * tolerance)

    def recertify(other: NDArray[Any]) -> NDArray[np.float64]:
        return certified(A, B, other, certificate, tolerance).errors

    return Round(X, G, r_norm, errors, recertify)


def worst(errors: NDArray[np.float64]) -> float:
    """Return the largest error; infinity where one is not a number."""
    return float(np.max(errors, initial=0.0)) if not np.isnan(errors).any() else np.inf
