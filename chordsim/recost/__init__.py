"""A finished run on other phones, links, clocks and budgets: recorded plans and ranks, no training, in seconds."""
