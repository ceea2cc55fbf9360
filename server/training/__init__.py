"""Cloud training: samplers, losses, models, validation and the cache of what was trained."""
