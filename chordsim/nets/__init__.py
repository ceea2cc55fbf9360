"""Networks that the cloud trains and phones run."""
