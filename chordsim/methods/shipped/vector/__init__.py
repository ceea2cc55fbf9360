"""`fp32` whose inputs know the vector that the phone itself makes of its user."""
