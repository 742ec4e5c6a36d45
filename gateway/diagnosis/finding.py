"""What a check found: one sentence, how bad it is, and what to do about it. Values only."""

from typing import Literal

import msgspec

Verdict = Literal["ok", "warning", "problem"]


class Finding(msgspec.Struct, frozen=True):
    """`check` names what was looked at. A problem keeps the gateway from keeping its promises, a warning does not yet.

    `fix` is what to do, empty where nothing is to be done. Neither text ever holds a secret.
    """

    check: str
    verdict: Verdict
    message: str
    fix: str = ""
