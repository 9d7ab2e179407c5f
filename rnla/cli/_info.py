"""The command `info`: versions, threads, BLAS and the folder of compiled kernels."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rnla._core.versions import show_versions
from rnla.cli._report import print_json

if TYPE_CHECKING:
    from rnla.cli._options import Commands


def add_parser(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    text = "versions, threads, BLAS and the folder of compiled kernels"
    parser = commands.add_parser("info", parents=[common], help=text, description=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Show them."""
    if options.json:
        print_json(show_versions(mode="dicts"))
    else:
        show_versions()
