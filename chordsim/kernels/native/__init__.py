"""Loops that numba compiles: imported only where the native kernel was chosen."""
