"""Front ends of the solver that swallow an option, misread a format or boast.

The table of methods and inputs must reject every one.
"""

from dataclasses import replace

import numpy as np
import scipy.sparse

from rnla import Status, lstsq_refine


def ignores_damp(A, b, *, damp=0.0, **options):
    """Solve the plain problem, whatever penalty is asked for."""
    return lstsq_refine(A, b, **options)


def ignores_weights(A, b, *, weights=None, **options):
    """Let every row count the same."""
    return lstsq_refine(A, b, **options)


def adds_up_in_small_integers(A, b, **options):
    """Sum repeated entries in their own type."""
    return lstsq_refine(scipy.sparse.csr_array(A), b, **options)


def drops_imaginary_parts(A, b, **options):
    """Solve for the real part of the right-hand side."""
    return lstsq_refine(A, np.real(b), **options)


def always_content(A, b, **options):
    """Claim success for any answer."""
    return replace(lstsq_refine(A, b, **options), status=Status.CONVERGED)


def silently_lapack(A, b, *, method, **options):
    """Run one method for all."""
    return lstsq_refine(A, b, method="lapack", **options)


# With the input and the method that give each away.
TABLE = {
    ignores_damp: ("damp", "spir"),
    ignores_weights: ("weights", "spne"),
    adds_up_in_small_integers: ("integer coo, repeated entries", "lapack"),
    drops_imaginary_parts: ("complex b", "sirr"),
    always_content: ("condition 1e12", "sketch_and_solve"),
    silently_lapack: ("csr", "fossils"),
}
