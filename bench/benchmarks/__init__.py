"""Benchmarks that asv follows over time.

They borrow problems, judges and the measured bandwidth from the scripts next door.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
