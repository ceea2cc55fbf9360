"""Grids of runs over scenario keys and seeds: resumable, one table, one page."""
