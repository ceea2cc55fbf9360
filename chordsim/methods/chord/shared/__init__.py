"""The phone of a plan that is the same for all, told once."""
