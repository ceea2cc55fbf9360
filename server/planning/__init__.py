"""Planners: what the cloud trains so that a user's embedding becomes a plan."""
