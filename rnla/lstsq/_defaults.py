"""Defaults that the solvers of this package share."""

import numpy as np

EPS = float(np.finfo(np.float64).eps)
# The default certificate: a few units of roundoff, where LAPACK's own answers lie.
TOLERANCE = 2 * EPS
RANK_CUTOFF = 30 * EPS
MAXITER = 400
# Largest array that is made where a method needs A dense.
DENSE_BYTES = 4 << 30
