"""The room of `fedavg`."""
