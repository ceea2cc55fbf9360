"""Which installation this is: its version, and the folder that holds its three packages."""

from pathlib import Path

VERSION = "0.1.0"
#: Holds `chordsim`, `server` and `clients`: a checkout, or site-packages.
HOME = Path(__file__).parent.parent
