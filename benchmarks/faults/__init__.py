"""Simulation testing after FoundationDB's: one seed decides a scenario and its faults; a run that met them must equal one without."""
