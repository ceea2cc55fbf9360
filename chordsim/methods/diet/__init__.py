"""The room of `diet`."""
