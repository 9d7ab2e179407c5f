"""Behind `python -m rnla`: one module per command, and the only part of rnla that prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from rnla._core.threads import limit_threads
from rnla.cli._errors import InputError, warnings_as_sentences
from rnla.cli._parser import PROGRAM, build_parser

__all__ = ["main"]

_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the name of the program. Default: ``sys.argv[1:]``.

    Returns
    -------
    int
        The exit status: 0, or 1 after one sentence on standard error, 130 after Ctrl-C and 141
        when the reader of standard output has gone, as a shell counts them.

    Raises
    ------
    SystemExit
        With status 2 if the command line itself is wrong, 0 after ``--help`` and ``--version``.
    """
    try:
        try:
            _dispatch(arguments)
        finally:
            # Here, not at the interpreter's exit, where an error could not be caught.
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return _PIPE_CLOSED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except InputError as error:
        return _refuse(str(error))
    except MemoryError:
        return _refuse("there is not enough memory")
    except OSError as error:
        _discard_output()
        return _refuse(error.strerror or str(error))
    return 0


def _dispatch(arguments: Sequence[str] | None) -> None:
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return
    threads = nullcontext() if options.threads is None else limit_threads(options.threads)
    with threads, warnings_as_sentences():
        options.run(options)


def _refuse(sentence: str) -> int:
    print(f"{PROGRAM}: error: {' '.join(sentence.split())}", file=sys.stderr)
    return 1


def _discard_output() -> None:
    # What is still buffered can no longer be written; at exit it would fail a second time.
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass
