"""Randomized numerical linear algebra: a sketch is the preconditioner, never the answer."""

import logging

from rnla import lstsq, sketch
from rnla._core.results import LstsqResult
from rnla._core.status import ConvergenceWarning, RnlaWarning, Status
from rnla._core.threads import get_num_threads, limit_threads, set_num_threads
from rnla.lstsq import lstsq_refine

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "LstsqResult",
    "RnlaWarning",
    "Status",
    "get_num_threads",
    "limit_threads",
    "lstsq",
    "lstsq_refine",
    "set_num_threads",
    "sketch",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())
