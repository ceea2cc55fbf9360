"""`python -m chordsim` is the command line, where its script is not on the path."""

import sys

from chordsim.cli import main

if __name__ == "__main__":
    sys.exit(main())
