"""What the campaigns did: the three lenses, their agreement, the ledger and the checks."""
