"""The referee: one round of one method, from who was selected to the ledger's rows."""
