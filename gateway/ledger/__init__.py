"""Holds, receipts, counters, roll-ups and rows: what was reserved, what was spent, and the proof of it."""
