"""How a process's own messages are written: for people, or one JSON document a line."""

import logging
import sys
from datetime import UTC, datetime
from typing import Literal

import msgspec

LogFormat = Literal["console", "json"]

_encode = msgspec.json.Encoder().encode


class _JsonFormatter(logging.Formatter):
    """A record as one line of JSON, with the fields the access lines have."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str | int] = {
            "time": time_text(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process or 0,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line).decode()


def set_up(log_format: LogFormat) -> None:
    """Write this process's messages to standard error in this format. May be called again with another one."""
    console = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else console)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("gateway").setLevel(logging.INFO)


def time_text(moment: float) -> str:
    """Unix seconds as RFC 3339, UTC, with milliseconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(moment * 1000) % 1000:03d}Z"
