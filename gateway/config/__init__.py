"""(text, environment) → Settings. Pure: whoever calls reads the file, the environment and the secrets' files."""
