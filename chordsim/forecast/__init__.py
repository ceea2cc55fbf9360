"""What a run will cost before anything is trained: bytes, seconds, joules and refusals per tier, each with a range."""
