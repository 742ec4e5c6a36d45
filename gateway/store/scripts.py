"""The Lua steps as text with their SHA-1, by name. Reads gateway/lua once; decides nothing about keys or arguments."""

from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files

_SHARED = "_books"


@dataclass(slots=True, frozen=True)
class Script:
    """One step: what SCRIPT LOAD takes and what EVALSHA names."""

    source: bytes
    digest: bytes  # 40 hex digits


def load_scripts() -> dict[str, Script]:
    """Every step under gateway/lua, each with the shared part in front of it."""
    folder = files("gateway") / "lua"
    texts = {entry.name[:-4]: entry.read_bytes() for entry in folder.iterdir() if entry.name.endswith(".lua")}
    shared = texts.pop(_SHARED)
    return {name: _script(shared + b"\n" + text) for name, text in texts.items()}


def _script(source: bytes) -> Script:
    return Script(source, sha1(source, usedforsecurity=False).hexdigest().encode())
