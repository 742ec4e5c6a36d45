"""Soft alerts: budgets are watched beside the requests, what reaches a threshold is raised once and told."""
