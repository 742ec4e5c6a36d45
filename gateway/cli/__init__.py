"""The command line: starting the gateway, and administering a running one over its own HTTP API."""
