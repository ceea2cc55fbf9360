"""The charts of a run's page, one file per section; each is a plotly figure with the numbers that it shows."""
