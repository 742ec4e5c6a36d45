"""A gateway's data as one file: written from a store in use, and brought back into an empty one."""
