"""A backbone that lets old items fade."""
