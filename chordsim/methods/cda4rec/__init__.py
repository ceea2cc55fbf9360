"""The room of `cda4rec`."""
