"""Deterministic and randomized building blocks of the solvers."""
