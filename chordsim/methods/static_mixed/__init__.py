"""The room of `static-mixed`."""
