"""What lies under a mask is no number of the caller's: every function refuses masked entries."""

import numpy as np
import pytest

import rnla

MASKED = np.ma.masked_array(np.diag(np.arange(1.0, 41)), mask=np.eye(40, k=3, dtype=bool))
PLAIN = np.eye(40)
CALLS = {
    "right-hand side": lambda b: rnla.lstsq_refine(PLAIN, b[0]),
    "lstsq_refine": lambda A: rnla.lstsq_refine(A, PLAIN[0]),
    "start": lambda v: rnla.eigen.eigsh(PLAIN, 3, v0=v[0]),
    "leverage_scores": lambda A: rnla.leverage_scores(A),
    "eigsh": lambda A: rnla.eigen.eigsh(A, 3),
    "svds": lambda A: rnla.eigen.svds(A, 3),
    "rsvd": lambda A: rnla.rsvd(A, 3),
    "nystrom": lambda A: rnla.nystrom(A, 3),
    "trace": lambda A: rnla.trace(A, 20),
    "diag": lambda A: rnla.diag(A, 20),
    "row_norms": lambda A: rnla.row_norms(A, 20),
    "logdet": lambda A: rnla.logdet(A),
    "spectral_density": lambda A: rnla.spectral_density(A),
}


@pytest.mark.parametrize("call", CALLS)
def test_masked_entries_are_refused(call):
    with pytest.raises(ValueError, match="must not have masked entries"):
        CALLS[call](MASKED)
