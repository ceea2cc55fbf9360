"""The room of `shipped`."""
