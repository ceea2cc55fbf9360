"""Ten ways to break a run, tried on any checkout through its commands: `python -m benchmarks.breakages CHECKOUT`."""
