"""Measurements of a running gateway, and of its parts. Nothing here is installed or imported by the gateway."""
