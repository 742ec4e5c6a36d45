"""The parent process, also for one worker: it owns the data directory, the embedded store, the listening socket, the
simulator of the demo and the metrics listener, and it starts, watches, replaces and drains the workers. It serves no
request itself.
"""
