"""Comparing runs: what differs between scenarios, and paired differences over users with their significance."""
