"""Measure what no solver can beat: read bandwidth, and the rate of matrix products.

python bench/roofline.py
"""

from __future__ import annotations

import numpy as np
from _machine import bandwidth, gemm_rate, median
from _report import Report, parser

import rnla


def main(argv: list[str] | None = None) -> None:
    arguments_parser = parser(__doc__)
    arguments_parser.add_argument("--mbytes", type=int, default=1000, help="size of the array")
    arguments_parser.add_argument("--gemm", type=int, default=2048, help="order of the matrices")
    arguments_parser.add_argument("--repeat", type=int, default=9)
    arguments = arguments_parser.parse_args(argv)
    if arguments.quick:
        arguments.mbytes, arguments.gemm, arguments.repeat = 16, 256, 3
    report = Report(arguments)

    n = 1000
    m = max(1, arguments.mbytes * 10**6 // (8 * n))
    threads = rnla.get_num_threads()
    rows = []
    best = {}
    for order in "CF":
        A = np.ones((m, n), order=order)
        for count in sorted({1, threads}):
            rates = bandwidth(A, arguments.repeat, count)
            best[order] = rates[0]
            rows.append(
                {
                    "what": f"read, {order} order, {count} threads",
                    "unit": "GB/s",
                    "best": rates[0] / 1e9,
                    "median": median(rates) / 1e9,
                }
            )
    rates = gemm_rate(arguments.gemm, arguments.repeat)
    rows.append(
        {
            "what": f"dgemm {arguments.gemm}³",
            "unit": "GF/s",
            "best": rates[0] / 1e9,
            "median": median(rates) / 1e9,
        }
    )
    balance = 8 * rates[0] / best["C"]
    report.table(
        f"Limits, {m} x {n} float64, {arguments.repeat} repetitions",
        {"what": "", "unit": "", "best": ".1f", "median": ".1f"},
        rows,
        beta={order: best[order] for order in "CF"},
        gemm=rates[0],
        balance=balance,
    )
    report.note(f"balance b = {balance:.1f} flops in the time of reading one double (C order)")
    report.finish()


if __name__ == "__main__":
    main()
