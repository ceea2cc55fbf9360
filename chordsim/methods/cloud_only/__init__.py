"""The room of `cloud-only`."""
