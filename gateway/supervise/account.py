"""The check of the Cloudflare account, as the parent sees it: started beside everything else, its report read later.

It runs as a process of its own, `account_check`, so that the parent, which lives as long as the gateway, never loads an
HTTP client. The report never carries a credential.
"""

import pickle
import subprocess
from dataclasses import dataclass

import msgspec

from gateway.config.settings import UpstreamSettings
from gateway.supervise.order import python_command, python_environment


class AccountReport(msgspec.Struct):
    """What came of it. `listed` maps a model to the day of its planned end, empty where none is announced."""

    is_accepted: bool
    message: str
    listed: dict[str, str] = {}


@dataclass(slots=True)
class AccountCheck:
    """A running check."""

    process: subprocess.Popen[bytes]

    def report(self, seconds: float) -> AccountReport:
        """Its outcome, waited for up to `seconds`. Never raises: the gateway starts whatever Cloudflare says."""
        try:
            told, _ = self.process.communicate(timeout=seconds)
            return msgspec.msgpack.decode(told, type=AccountReport)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return AccountReport(False, f"no answer within {seconds:g} s")
        except msgspec.DecodeError:
            return AccountReport(False, "the check itself failed; its own lines above say why")


def start_check(settings: UpstreamSettings, seconds: float) -> AccountCheck:
    """Start asking; the answer may take up to `seconds`."""
    process = subprocess.Popen(
        python_command("gateway.supervise.account_check"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=python_environment(),
        process_group=0,
    )
    if process.stdin is None:
        raise AssertionError("stdin was asked for")
    with process.stdin as told:
        told.write(pickle.dumps((settings, seconds)))
    process.stdin = None  # communicate() must not flush what is closed
    return AccountCheck(process)
