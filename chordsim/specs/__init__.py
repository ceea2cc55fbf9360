"""What each method is to the round loop: its exchange, its settings, and where its two halves are."""
