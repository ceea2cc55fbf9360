"""The charts of a run's page, one file per section; each is what is drawn, with the numbers that it shows."""
