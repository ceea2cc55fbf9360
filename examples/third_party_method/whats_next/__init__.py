"""`whats-next`: the phone sends its last item, the cloud answers with what most often followed it."""
