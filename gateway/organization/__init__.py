"""OpenAI's admin API over the gateway's records and ledger: projects, keys, limits, usage, costs and rows."""
