"""What a changed configuration changes, and which of that a running gateway can take over. Pure.

Every setting stands in one of the two tables below; a test sees to it. What cannot be reloaded is what processes were
started with or have bound, opened or locked.
"""

from dataclasses import fields, is_dataclass
from typing import Any, Final

from gateway.config.settings import Settings

RELOADABLE: Final = frozenset(
    {
        "account",
        "alerts",
        "catalog",
        "chat",
        "server.drain_seconds",
        "server.cors_origins",
        "server.max_body_bytes",
        "server.request_seconds",
        "server.tls_certificate",
        "server.tls_key",
        "server.trusted_proxies",
        "server.unready_seconds",
        "upstream",
    }
)
FIXED: Final = frozenset(
    {
        "admin_key",
        "data_dir",
        "is_demo",
        "ledger",
        "log",
        "metrics",
        "neurons",
        "server.host",
        "server.port",
        "server.workers",
        "spool",
        "store",
        "tokenizer_path",
        "tracing",
    }
)
# Settings whose name in the file is another one.
_WRITTEN_AS: Final = {"catalog": "models, routes or aliases", "tokenizer_path": "tokenizer.path", "is_demo": "--demo"}


def changed_paths(old: Settings, new: Settings) -> list[str]:
    """Paths of the settings that differ, as in the file; never their values."""
    return [_WRITTEN_AS.get(path, path) for path in _changed(old, new)]


def fixed_changes(old: Settings, new: Settings) -> list[str]:
    """Those of the differing settings that only a restart can change."""
    return [_WRITTEN_AS.get(path, path) for path in _changed(old, new) if not _is_reloadable(path)]


def setting_paths(settings: Settings) -> list[str]:
    """Every setting there is: `section.field`, and a section's own name where it is one value."""
    found: list[str] = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        parts = fields(value) if is_dataclass(value) and field.name != "catalog" else ()
        found += [f"{field.name}.{part.name}" for part in parts] or [field.name]
    return found


def _changed(old: Settings, new: Settings) -> list[str]:
    return [path for path in setting_paths(new) if _at(old, path) != _at(new, path)]


def _at(settings: Settings, path: str) -> Any:  # Any: a setting of whatever type
    found: Any = settings  # as above
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _is_reloadable(path: str) -> bool:
    return path in RELOADABLE or path.partition(".")[0] in RELOADABLE
