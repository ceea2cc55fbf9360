"""Damaged messages for every decoder: `python -m benchmarks.fuzz`."""
