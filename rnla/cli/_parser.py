"""The grammar of the command line."""

from __future__ import annotations

import argparse

import rnla
from rnla.cli import _bench, _demo, _info, _lstsq
from rnla.cli._options import positive_int

PROGRAM = "python -m rnla"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; a parsed command has its function in ``run``."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Randomized numerical linear algebra with a certificate on every answer.",
        epilog="Wrong input ends with one sentence and exit status 1.",
    )
    parser.add_argument("--version", action="version", version=f"rnla {rnla.__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print the result for programs")
    common.add_argument(
        "--threads",
        type=positive_int,
        metavar="N",
        help="threads for rnla, BLAS and LAPACK (default: every processor)",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in (_lstsq, _demo, _bench, _info):
        command.add_parser(commands, common)
    return parser
