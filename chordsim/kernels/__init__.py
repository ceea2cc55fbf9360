"""Fast forms of the loops that a round spends its time in, compiled where they can be; torch is the reference and always there."""
