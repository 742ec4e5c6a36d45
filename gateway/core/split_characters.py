"""Characters an upstream broke in two: half in one event, half in the next.

A byte-level tokenizer may emit one emoji as two tokens. Most engines wait or write U+FFFD; some send the bytes as they
come, or lone UTF-16 escapes, and neither is JSON a strict parser takes. `mark` rewrites such an event so that it
parses, with each half as a private character (U+100000 …); `Joiner` puts the halves together again, or writes U+FFFD
where a half stays alone. Only events a parser refused come here: intact text never does.
"""

import codecs
import re

_BYTE = 0x100800  # + the byte, 0x80 … 0xFF
_HALF = 0x100000 - 0xD800  # + the UTF-16 code unit, 0xD800 … 0xDFFF

_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u([dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
_MARKS = re.compile("[\U00100000-\U001008ff]+")


def mark(data: bytes) -> bytes:
    """The same JSON with every half character as a private one; equal to `data` where there is none."""
    text = data.decode("utf-8", "surrogateescape")
    text = re.sub("[\udc80-\udcff]", lambda found: chr(_BYTE + ord(found[0]) - 0xDC00), text)
    text = _ESCAPE.sub(lambda found: chr(_HALF + int(found[1], 16)) if found[1] else found[0], text)
    return text.encode()


class Joiner:
    """Text with marks in, whole text out."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""  # marks of a character whose rest has not come

    def feed(self, text: str) -> str:
        """`text` with its halves joined; a half at its end waits for the next piece."""
        text = self._held + text
        self._held = ""
        return _MARKS.sub(lambda run: self._join(run[0], at_end=run.end() == len(text)), text)

    def close(self) -> str:
        """U+FFFD for a half that stayed alone."""
        held, self._held = self._held, ""
        return "\ufffd" if held else ""

    def _join(self, run: str, *, at_end: bool) -> str:
        joined: list[str] = []
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        high = ""
        for character in run:
            if ord(character) >= _BYTE:
                joined.append("\ufffd" if high else "")
                high = ""
                joined.append(decoder.decode(bytes([ord(character) - _BYTE])))
                continue
            joined.append(decoder.decode(b"", final=True))
            unit = ord(character) - _HALF
            if high and unit >= 0xDC00:
                joined.append(chr(0x10000 + ((ord(high) - _HALF - 0xD800) << 10) + unit - 0xDC00))
                high = ""
                continue
            joined.append("\ufffd" if high else "")
            high = character if unit < 0xDC00 else ""
            joined.append("" if high else "\ufffd")
        pending = decoder.getstate()[0]
        if at_end:
            self._held = high or "".join(chr(_BYTE + byte) for byte in pending)
            return "".join(joined)
        joined.append("\ufffd" if high or pending else "")
        return "".join(joined)
