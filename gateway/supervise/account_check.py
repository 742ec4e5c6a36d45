"""Asks Cloudflare once, at start, whether the credentials work and which models it lists. Free of charge.

Run by `account` as `python -m gateway.supervise.account_check`: settings in on stdin, the report out on stdout.
"""

import asyncio
import pickle
import sys
import time
from typing import Any

import msgspec

from gateway.client.select import create_client
from gateway.config.settings import UpstreamSettings
from gateway.core.answer import Failure
from gateway.supervise.account import AccountReport

_PATH = "/ai/models/search?per_page=100&page={page}"
_MOST_PAGES = 5


class _Property(msgspec.Struct):
    property_id: str
    value: Any  # text, number or a price list


class _Entry(msgspec.Struct):
    name: str
    properties: list[_Property] = []


class _Pages(msgspec.Struct):
    total_pages: int = 1


class _Trouble(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Answer(msgspec.Struct):
    result: list[_Entry] | None = None
    errors: list[_Trouble] = []
    result_info: _Pages | None = None


async def check(settings: UpstreamSettings, seconds: float) -> AccountReport:
    """Read the catalogue, page by page."""
    try:
        client = create_client(settings)
    except (ValueError, OSError) as error:
        return AccountReport(False, str(error))
    listed: dict[str, str] = {}
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        for page in range(1, _MOST_PAGES + 1):
            reply = await client.get(_PATH.format(page=page), deadline)
            if isinstance(reply, Failure):
                return AccountReport(False, f"{settings.base_url} cannot be reached: {reply.message}")
            answer = _decode(reply.body)
            if reply.status != 200 or answer is None or answer.result is None:
                return AccountReport(False, _refusal(reply.status, answer))
            listed.update((entry.name, _end_of(entry)) for entry in answer.result)
            if not answer.result or answer.result_info is None or page >= answer.result_info.total_pages:
                break
    finally:
        await client.close()
    return AccountReport(True, "the credentials work", listed)


def _decode(body: bytes) -> _Answer | None:
    try:
        return msgspec.json.decode(body, type=_Answer)
    except msgspec.DecodeError:
        return None


def _refusal(status: int, answer: _Answer | None) -> str:
    told = "; ".join(f"{trouble.message} ({trouble.code})" for trouble in answer.errors) if answer else ""
    hint = ": the account id or the token is wrong, or the token lacks the permission Workers AI – Read"
    said = f". Cloudflare says: {told}" if told else ""
    return f"status {status}{hint if status in (400, 401, 403, 404) else ''}{said}"


def _end_of(entry: _Entry) -> str:
    found = [item.value for item in entry.properties if item.property_id == "planned_deprecation_date"]
    return str(found[0])[:10] if found else ""


def main() -> int:
    """The process: settings in on stdin, the report out on stdout."""
    settings, seconds = pickle.load(sys.stdin.buffer)  # noqa: S301 – from our own parent, over a private pipe
    started = time.monotonic()
    report = asyncio.run(check(settings, seconds))
    if report.is_accepted:
        report.message += f" (answered in {(time.monotonic() - started) * 1000:.0f} ms)"
    sys.stdout.buffer.write(msgspec.msgpack.encode(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
