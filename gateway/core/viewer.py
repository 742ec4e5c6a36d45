"""Who reads the accounts through a browser session, and how much of them. Data only."""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Viewer:
    """Somebody who may read: everything, or what belongs to one key of one project. Never more than read."""

    project_id: str | None = None  # None, and so `api_key_id`: everything
    api_key_id: str | None = None
