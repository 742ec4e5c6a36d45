"""The dialects clients may speak, by the path they are spoken at."""

from collections.abc import Mapping

from gateway.core.contracts import Surface
from gateway.surfaces.chat import CHAT

SURFACES: Mapping[str, Surface] = {"/v1/chat/completions": CHAT}
