"""SIGKILL of real processes at random moments, over all commands that write: `python -m benchmarks.kills`."""
