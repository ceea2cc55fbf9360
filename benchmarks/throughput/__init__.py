"""How many device-rounds per second: chordsim beside its neighbours, and how that scales. `python -m benchmarks.throughput -h`."""
