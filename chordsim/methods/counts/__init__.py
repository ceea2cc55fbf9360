"""The room of `counts`."""
