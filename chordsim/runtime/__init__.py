"""From a run to a phone's runtime: programs, files of weights, parity with the ledger."""
