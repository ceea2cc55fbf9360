"""The room of `duet`."""
