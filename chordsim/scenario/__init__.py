"""Scenarios: the TOML file that says what a run is, read, checked and written out again."""
