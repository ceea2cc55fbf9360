"""The room of `cocorrrec`."""
