"""The run directory: what a run writes, and how it is found again after it was cut off."""
