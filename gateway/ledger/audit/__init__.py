"""Proving the books: rows, roll-ups, counters and holds are compared, and put right where asked to."""
