"""What `gateway doctor` and `gateway probe` find out: about this machine, the store, and the upstream as it really is.

Nothing here changes what it looks at: no key is written to the store, no directory made, no port kept.
"""
