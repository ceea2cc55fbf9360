"""The room of `otaro`."""
