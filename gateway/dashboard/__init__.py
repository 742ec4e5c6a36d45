"""The dashboard: static files over the public usage, costs and ledger APIs, and the sessions of its readers."""
