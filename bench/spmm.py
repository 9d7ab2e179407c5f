"""Sparse and dense matrices times a block of columns, beside SciPy's and NumPy's products.

python bench/spmm.py
python bench/spmm.py --graphs email-Enron --dense 2000,8000 --widths 2,8,16
python bench/spmm.py --data FOLDER --widths 1,4,16,64
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from _graphs import DATA, load
from _report import Report, parser, several
from _timing import interleaved

from rnla.linalg.block import as_block_operator

_COLUMNS = {"columns": "d", "ms": ".3g", "theirs ms": ".3g", "×": ".2f", "error": ".1e"}


def rows(A: Any, widths: list[int], repeat: int) -> list[dict[str, Any]]:
    """Return times and the difference of the two products."""
    block = as_block_operator(A)
    rng = np.random.default_rng(0)
    found = []
    for width in widths:
        X = rng.standard_normal((A.shape[1], width))
        ours, theirs = block.product(X), A @ X
        seconds = interleaved(
            {
                "ours": lambda turn=0, X=X: block.product(X),
                "theirs": lambda turn=0, X=X: A @ X,
            },
            repeat,
        )
        least = {name: min(times) for name, times in seconds.items()}
        found.append(
            {
                "columns": width,
                "ms": 1e3 * least["ours"],
                "theirs ms": 1e3 * least["theirs"],
                "×": least["theirs"] / least["ours"],
                "error": float(np.abs(ours - theirs).max() / np.abs(theirs).max()),
                "seconds": seconds,
            }
        )
    return found


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--data", type=Path, default=DATA, help="folder with the graphs (.npz)")
    options.add_argument("--graphs", type=several(str), default="email-Enron,amazon0302")
    options.add_argument("--dense", type=several(int), default=[4000], help="orders; 0: none")
    options.add_argument("--widths", type=several(int), default="1,2,4,8,16,32,64")
    options.add_argument("--repeat", type=int, default=9)
    arguments = options.parse_args(argv)
    if arguments.quick:
        arguments.widths, arguments.repeat, arguments.graphs = [1, 4], 1, arguments.graphs[:1]
        arguments.dense = [300]
    report = Report(arguments)
    for name in arguments.graphs:
        title, A = load(name, arguments.data, arguments.quick)
        report.table(title, _COLUMNS, rows(A, arguments.widths, arguments.repeat))
    for n in filter(None, arguments.dense):
        A = np.random.default_rng(0).standard_normal((n, n))
        report.table(f"Dense, {n} x {n}", _COLUMNS, rows(A, arguments.widths, arguments.repeat))
    report.finish()


if __name__ == "__main__":
    main()
