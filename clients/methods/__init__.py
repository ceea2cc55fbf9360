"""Device halves of the methods."""
