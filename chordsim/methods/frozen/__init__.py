"""The room of `frozen-k`."""
