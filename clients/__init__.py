"""The phones: the Flower client app, the cohort step and the device halves of the methods."""
