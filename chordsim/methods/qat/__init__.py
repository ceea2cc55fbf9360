"""The room of `qat`."""
