"""The room of `dccl`."""
