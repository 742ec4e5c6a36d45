"""The store: Redis or Valkey, somebody's or our own embedded one."""
