"""Trace, diagonal and row norms of matrices that are known by products with vectors."""

from rnla.trace._estimate import ConfidenceInterval, Estimate

__all__ = ["ConfidenceInterval", "Estimate"]
