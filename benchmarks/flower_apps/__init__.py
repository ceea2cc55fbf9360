"""Flower apps on chordsim's phones: how fast, against Flower's own simulation, and what strategies cost."""
