"""The room of `forward-ofa`."""
