"""Everything dies, in every way: the fault matrix of the ledger."""
