"""Do two checkouts write the same ledgers, bit by bit? `python -m benchmarks.same_ledgers -h`."""
