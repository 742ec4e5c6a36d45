"""Who asks the admin API, and how far that reaches. Data only."""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Viewer:
    """Somebody who may read, and with `can_change` write: everything, a project's part, or one key's part of it."""

    project_id: str | None = None  # None: everything
    api_key_id: str | None = None  # a virtual key, of a project
    can_change: bool = False
