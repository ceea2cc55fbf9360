"""From a run to a phone's runtime: what a phone makes of its seed and its plan."""
