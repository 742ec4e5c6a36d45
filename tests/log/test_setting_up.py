"""The gateway's own messages in both formats, from a process of its own."""

import json
import subprocess
import sys

import pytest
from support.running import clean_environment

from gateway.log.setting_up import time_text

PROGRAM = """
import logging
from gateway.log.setting_up import set_up
set_up("console")
set_up("{log_format}")
log = logging.getLogger("gateway.some.place")
log.info("it is %s", "so")
logging.getLogger("somebody.else").info("nothing to say")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("request %s failed", "req_1")
"""


def written(log_format: str) -> str:
    program = PROGRAM.format(log_format=log_format)
    done = subprocess.run(
        [sys.executable, "-c", program], env=clean_environment(), capture_output=True, text=True, check=True
    )
    return done.stderr


def test_json_is_one_document_a_line() -> None:
    said, failed = (json.loads(line) for line in written("json").splitlines())
    assert (said["level"], said["logger"], said["message"]) == ("info", "gateway.some.place", "it is so")
    assert said["time"].endswith("Z")
    assert (failed["level"], failed["message"]) == ("error", "request req_1 failed")
    assert failed["exception"].endswith("ZeroDivisionError: division by zero")


def test_console_is_for_people() -> None:
    text = written("console")
    assert " INFO gateway.some.place: it is so\n" in text
    assert "Traceback (most recent call last):\n" in text
    assert text.count("it is so") == 1


@pytest.mark.parametrize(
    ("moment", "text"), [(0, "1970-01-01T00:00:00.000Z"), (1_800_000_000.0625, "2027-01-15T08:00:00.062Z")]
)
def test_time_is_utc_with_milliseconds(moment: float, text: str) -> None:
    assert time_text(moment) == text
