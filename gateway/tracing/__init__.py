"""Traces of requests: W3C context in and out, and spans sent by OpenTelemetry where a collector is configured."""
