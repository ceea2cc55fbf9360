"""The controls of `chord-plus`: its training and budgets, with plans that are not its user's own."""
