"""The file in which a data directory names the store it belongs to."""

import contextlib
import os
from pathlib import Path


def read_instance(file: Path) -> str | None:
    """The store's id; None where nothing is written yet. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        return file.read_text(encoding="ascii").strip() or None
    return None


def write_instance(file: Path, instance: str) -> None:
    """Whole or not at all: another worker may be reading it. Raises OSError."""
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.write_text(instance + "\n", encoding="ascii")
    fresh.replace(file)
