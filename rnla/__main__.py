"""The command line: `python -m rnla` solves files, shows a demonstration, measures, informs."""

import sys

from rnla.cli import main

if __name__ == "__main__":
    sys.exit(main())
