"""Decisions. Values in, values out: no async, clock, randomness, logging or I/O."""
