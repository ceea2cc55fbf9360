"""What crosses the link: frames, limits, 2-bit codes, number rows, budgets, reports and blob digests."""
