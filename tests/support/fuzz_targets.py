"""Every parser that reads what a stranger sends or a crash leaves behind, as a function of bytes.

A target returns, or refuses in the way it promises; anything else that leaves it is a finding. `tests/fuzz` replays the
committed inputs, `make fuzz` looks for new ones.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.raw_http import read_independently, serve_bytes
from support.upstream_cases import hear, reader_for

from gateway.config.document import Reading
from gateway.config.load import load
from gateway.config.problems import ConfigErrors
from gateway.config.teams import read_teams
from gateway.core.answer import Failure
from gateway.core.call import Call, Message, Tool
from gateway.core.catalog import Catalog
from gateway.core.errors import GatewayError, RecordUnreadable
from gateway.core.reading import read_call
from gateway.core.records import AdminKey, Key, Organization, Project
from gateway.core.sse import EventTooLarge, SseParser
from gateway.dashboard.sessions import _read_token
from gateway.keys import is_well_formed, redact
from gateway.ledger.audit.sums import parse_sums
from gateway.ledger.audit.verification import Assignment, UnknownCursor, _first_hour
from gateway.ledger.frames import decode_frames, encode_frame
from gateway.ledger.rows import _read_cursor, decode_row
from gateway.organization.audit import read_place
from gateway.organization.buckets import read_question
from gateway.organization.limit_changes import read_limit_changes
from gateway.organization.listing import read_part
from gateway.organization.parameters import Body, Query
from gateway.organization.rules import read_rules
from gateway.organization.usage import _COSTS, _USAGE
from gateway.store.stored import stored
from gateway.supervise.proxies import TrustedProxies
from gateway.surfaces import SURFACES
from gateway.upstreams import UPSTREAMS

_CATALOG: Final[Catalog] = load("", {}, Path("/nowhere"), demo=True).catalog
_UPSTREAM: Final = UPSTREAMS["workers_ai"]
_CALL: Final = Call(
    "chat", "auto", (Message("user", "hi"),), stream=True, tools=(Tool("f", "", {}),), request_id="req_1:0"
)
_GRANTED: Final = 4096
_RECORDS: Final = [stored(each, "record") for each in (Organization, Project, Key, AdminKey)]


def chat_request(data: bytes) -> None:
    """A request's body, and what would be sent upstream for it to every model."""
    call = read_call(SURFACES["/v1/chat/completions"], data, 8)
    for model in _CATALOG.models.values():
        _UPSTREAM.request(call, model, 16)


def server_sent_events(data: bytes) -> None:
    """The upstream's stream: the same payloads whole and byte by byte."""
    try:
        whole = SseParser()
        found = whole.feed(data) + whole.close()
    except EventTooLarge:
        return
    pieces = SseParser()
    again = [payload for at in range(len(data)) for payload in pieces.feed(data[at : at + 1])] + pieces.close()
    assert found == again


def upstream_events(data: bytes) -> None:
    """The upstream's stream down to what a client would be told: the same whole and in halves, in OpenAI's order."""
    middle = len(data) // 2
    whole = hear(reader_for(_CALL, _GRANTED), [data])
    assert hear(reader_for(_CALL, _GRANTED), [data[:middle], data[middle:]]) == whole


def upstream_answer(data: bytes) -> None:
    """A whole answer of the upstream, and an error's body, with any status."""
    for status in (200, 400, 403, 429, 500):
        answer = _UPSTREAM.completion(status, {"content-type": "application/json"}, data, _CALL, _GRANTED)
        assert status == 200 or isinstance(answer, Failure)
        assert isinstance(_UPSTREAM.failure(status, {"retry-after": data.decode("latin-1")}, data), Failure)


def configuration(data: bytes) -> None:
    """A configuration, the price book in it included."""
    load(data.decode("utf-8", "replace"), {"NAME": "value"}, Path("/nowhere"), demo=True)


def spool_frames(data: bytes) -> None:
    """A spool's segment as a crash may leave it: what is whole comes back as it was written."""
    frames = list(decode_frames(data))
    assert data.startswith(b"".join(encode_frame(number, payload) for number, payload in frames))


def teams(data: bytes) -> None:
    """A file of teams."""
    read_teams(data.decode("utf-8", "replace"), Reading({}, Path("/nowhere")))


def records(data: bytes) -> None:
    """What lies in the store, as another version or a hand may have left it."""
    for read in (*_RECORDS, decode_row, parse_sums):
        with contextlib.suppress(RecordUnreadable):
            read(data)


def upstream_headers(data: bytes) -> None:
    """The header lines of an upstream answer: any of them, with any values."""
    lines = (line.partition(":") for line in data.decode("latin-1").splitlines())
    headers = {name.lower(): value.strip() for name, _, value in lines}
    for status in (200, 429, 500):
        failure = _UPSTREAM.failure(status, headers, b'{"errors":[{"code":3040,"message":"Capacity"}]}')
        assert isinstance(failure, Failure)
        assert failure.retry_after is None or 0 <= failure.retry_after < float("inf")


def admin_body(data: bytes) -> None:
    """A body for the admin API: limits, and the rules of projects and keys."""
    for read in (read_limit_changes, read_rules):
        try:
            body = Body(data)
            read(body, _CATALOG)
            body.done()
        except GatewayError:
            continue


def admin_query(data: bytes) -> None:
    """A query string: cursors, limits, moments."""
    query = Query(data)
    part = read_part(query)
    assert 1 <= part.limit <= 100
    query.done()


def cursors(data: bytes) -> None:
    """What a list or report is asked to go on after: a place in it, or a refusal."""
    text = data.decode("utf-8", "replace")
    place = read_place(text)
    assert place is None or (place[0] < 10**16 and place[1] < 10**18)
    with contextlib.suppress(ValueError):
        assert _read_cursor(text)[0] >= 0
    with contextlib.suppress(UnknownCursor):
        assert _first_hour(Assignment(cursor=text), 0) >= 0
    for report in (_USAGE, _COSTS):
        with contextlib.suppress(GatewayError):
            asked = read_question(Query(b"start_time=1795651200&" + data), report, 1_795_700_000)
            assert 0 <= asked.usage.start <= asked.usage.end


def credentials(data: bytes) -> None:
    """Keys and cookies as anybody may write them; nothing shown contains a whole one."""
    text = data.decode("latin-1")
    is_well_formed(text)
    assert len(text) < 12 or text not in redact(text)
    token = _read_token(text)
    assert token is None or (token.isascii() and token)


def forwarded(data: bytes) -> None:
    """`X-Forwarded-For`: an address that the header or the connection named."""
    found = TrustedProxies(["127.0.0.1", "10.0.0.0/8"]).client_of("127.0.0.1", [(b"x-forwarded-for", data)])
    assert found == "127.0.0.1" or found in data.decode("latin-1")


def http(data: bytes) -> None:
    """Bytes on a connection of the product's server: requests read as anybody else reads them, in any pieces."""
    whole, third = serve_bytes([data]), 1 + len(data) // 3
    pieces = serve_bytes([data[at : at + third] for at in range(0, len(data), third)])
    assert pieces.requests[: len(whole.requests)] == whole.requests  # in pieces, more may be done before a refusal
    others = read_independently(data)
    assert [each[::2] for each in pieces.requests[: len(others)]] == [
        each[::2] for each in others[: len(pieces.requests)]
    ]
    for heard in (whole, pieces):
        assert set(heard.statuses) <= {200, 400}
        assert heard.statuses.count(200) == len(heard.requests)
        assert 400 not in heard.statuses[:-1]  # after which it hangs up


@dataclass(slots=True, frozen=True)
class Target:
    """A parser, how it may refuse, and words that get a fuzzer further than chance."""

    run: Callable[[bytes], None]
    refusals: tuple[type[Exception], ...] = ()
    words: tuple[bytes, ...] = ()

    def try_input(self, data: bytes) -> None:
        """Raises whatever must not leave the parser."""
        try:
            self.run(data)
        except self.refusals:
            return


_JSON: Final = (b"{", b"}", b"[", b"]", b":", b",", b"null", b"true", b"-1", b"1e999", b'"', b"\\u0000", b"\\ud800")
_CHAT: Final = (b'"messages"', b'"role"', b'"content"', b'"tools"', b'"function"', b'"n"', b'"stop"', b'"$ref"')
_EVENTS: Final = (b"data: ", b"\n\n", b"\r", b"[DONE]", b'"response"', b'"usage"', b'"tool_calls"', b'"choices"')
_ADMIN: Final = (b'"limits"', b'"kind"', b'"window"', b'"limit"', b'"tags"', b'"allowed_models"', b'"spend"')
_YAML: Final = (b"server:", b"models:", b"prices:", b"${", b"}", b"&a", b"*a", b"!!", b"\n  ", b"- ", b"_file: x")
_HTTP: Final = (
    b"\r\n", b"\r", b"\n", b"\r\n ", b" ", b":", b"\x00", b"content-length: 38\r\n", b"content-length: 0\r\n",
    b"transfer-encoding: chunked\r\n", b"transfer-encoding: gzip\r\n", b"0\r\n\r\n", b"26\r\n", b"HTTP/1.0",
    b"connection: upgrade\r\nupgrade: h2c\r\n", b"connection: close\r\n", b"expect: 100-continue\r\n", b"CONNECT ",
    b"GET /readyz HTTP/1.1\r\nhost: hidden\r\n\r\n",
)  # fmt: skip

TARGETS: Final = {
    "chat": Target(chat_request, (GatewayError,), _JSON + _CHAT),
    "sse": Target(server_sent_events, (), _EVENTS),
    "events": Target(upstream_events, (), _EVENTS + _JSON),
    "answer": Target(upstream_answer, (), _JSON + _EVENTS),
    "configuration": Target(configuration, (ConfigErrors,), _YAML),
    "teams": Target(teams, (ConfigErrors,), (b"projects:", b"keys:", b"limits:", b"usd/month: ", b"expires: ", *_YAML)),
    "records": Target(records, (), (b'"rules"', b'"limits"', b'"previous"', b'"attempts"', *_JSON)),
    "upstream_headers": Target(upstream_headers, (), (b"retry-after: ", b"nan", b"inf", b"-1", b"1e400")),
    "frames": Target(spool_frames),
    "admin_body": Target(admin_body, (), _JSON + _ADMIN),
    "admin_query": Target(admin_query, (GatewayError,), (b"limit=", b"&", b"after=", b"order=desc", b"%", b"+")),
    "cursors": Target(cursors, (), (b"page=", b"page_", b"audit_log-", b"-refused", b"_", b"9" * 20, b"&", b"limit=")),
    "credentials": Target(credentials, (), (b"sk-", b"session=", b";", b'"', b"=")),
    "http": Target(http, (), _HTTP),
    "forwarded": Target(forwarded, (), (b",", b"127.0.0.1", b"10.0.0.1", b"[", b"]:", b"::1")),
}
