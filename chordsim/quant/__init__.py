"""Quantizer, plans of 2 bits per channel, and the allocator that turns utilities and budgets into plans."""
