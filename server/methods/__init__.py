"""Cloud halves of the methods."""
