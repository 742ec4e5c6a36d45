"""The upstream HTTP client: one contract, two adapters. Foreign errors become `Failure` values here."""
