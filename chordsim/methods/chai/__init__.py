"""The room of `chai`."""
