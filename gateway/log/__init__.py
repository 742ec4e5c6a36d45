"""The log, on standard error: what the gateway has to say, and one line per request. Never keys; content only where a
project asks for it.
"""
