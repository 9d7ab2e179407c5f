"""Randomized numerical linear algebra."""
