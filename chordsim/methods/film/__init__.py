"""The room of `film`."""
