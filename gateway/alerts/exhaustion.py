"""Budgets that are as good as used up: a hard limit refuses before the last nano-dollar, so 100 % is seldom counted.

Dispatch tells of every refusal; what is kept is whose budget cannot take even the least this request could do with,
although next to all of it is used and nothing in flight is the reason. A set of names: nothing is stored or waited for.
"""

from typing import Final

from gateway.alerts.owners import Subject
from gateway.core.limits import WINDOWS
from gateway.core.records import Identity
from gateway.ledger.contract import Refused

NEARLY_ALL: Final = 90  # percent
_MOST = 10_000


class Exhaustion:
    """What one worker has seen since it was last asked."""

    def __init__(self) -> None:
        self._subjects: set[Subject] = set()

    def note(self, refused: Refused, identity: Identity) -> None:
        """A limit refused a request of this identity."""
        if refused.window not in WINDOWS or refused.model is not None or refused.kind == "concurrency":
            return
        is_used_up = refused.limit - refused.used < refused.needed <= refused.limit
        if is_used_up and refused.used * 100 >= refused.limit * NEARLY_ALL and len(self._subjects) < _MOST:
            ids = {"organization": "", "project": identity.project.id, "key": identity.key.id}
            self._subjects.add((refused.scope, ids[refused.scope]))

    def take(self) -> list[Subject]:
        """Whose budgets were seen used up; they are forgotten here."""
        taken, self._subjects = list(self._subjects), set()
        return taken
