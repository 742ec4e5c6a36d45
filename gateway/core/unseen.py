"""Characters that steer what shows them, or are not seen: no part of a name, written out where others' text is shown.

C0, DEL, C1; what has no width or turns the direction of what follows: names could look like others. The two joiners
are none of them: Persian, Indic scripts and composed emoji cannot be written without them.
"""

import re
from typing import Final

_BEYOND_C0: Final = "\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"

UNSEEN: Final = re.compile(f"[\x00-\x1f{_BEYOND_C0}]")

UNSEEN_IN_JSON: Final = re.compile(f"[{_BEYOND_C0}]")
"""Those that JSON may hold as they are."""
