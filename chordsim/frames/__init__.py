"""Runs as pandas frames: their ledgers, rounds and devices side by side, and metrics taken afterwards."""
