"""One test per closed bug, named by what went wrong. Collected through test_regressions.py."""
