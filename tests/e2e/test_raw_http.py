"""Bytes onto the product's own port: every committed input of the fuzzing, and what only the whole product shows.

A committed input's name begins with what comes of it: `200` an answer of the application's, whatever it is, `400` a
refusal after which the connection is closed, `none` silence; found ones only have to keep the promises.
"""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fuzzing import inputs
from support.gateway import GatewayProcess
from support.raw_http import answers, read_head

HIDDEN = b"GET /readyz HTTP/1.1\r\nhost: hidden\r\n\r\n"
SECONDS = 20.0
APPLICATIONS = {200, 401, 404, 405}  # what the paths of the inputs are answered with, nobody having a key


class Wire:
    """A connection as bytes."""

    def __init__(self, product: GatewayProcess) -> None:
        host, _, port = product.origin.removeprefix("http://").rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=SECONDS)
        self.said = b""

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self, count: int) -> list[tuple[int, bytes]]:
        """Answers as they come, until there are so many."""
        while len(found := answers(self.said)) < count and self._more():
            pass
        return found

    def end(self) -> list[tuple[int, bytes]]:
        """All answers, until the gateway hangs up, as it does when nothing more can come."""
        self._socket.shutdown(socket.SHUT_WR)
        while self._more():
            pass
        return answers(self.said)

    def receive_fields(self) -> dict[bytes, bytes]:
        """The fields of the first answer's head."""
        while b"\r\n\r\n" not in self.said and self._more():
            pass
        return read_head(self.said.partition(b"\r\n\r\n")[0])[1]

    def hang_up(self) -> None:
        """Leave in the middle."""
        self._socket.close()

    def _more(self) -> bool:
        try:
            piece = self._socket.recv(65536)
        except ConnectionResetError:
            piece = b""
        self.said += piece
        return bool(piece)


@pytest.fixture
def wire(product: GatewayProcess) -> Iterator[Wire]:
    found = Wire(product)
    yield found
    found.hang_up()


@pytest.mark.parametrize("file", inputs("http"), ids=lambda file: file.name)
def test_bytes_are_answered_as_named_and_never_with_500(wire: Wire, file: Path) -> None:
    named = [int(each) for each in file.name.partition("-")[0].split(".") if each.isdecimal() and "-" in file.name]
    wire.send(file.read_bytes())
    wire.receive(len(named))
    statuses = [status for status, _ in wire.end()]
    assert set(statuses) <= APPLICATIONS | {400}
    if named:
        assert [status if status == 400 else 200 for status in statuses] == named


def test_refusal_of_what_is_no_http_is_in_the_envelope(wire: Wire) -> None:
    wire.send(b"nonsense\r\n\r\n")
    ((status, body),) = wire.receive(1)
    assert status == 400
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "framing", [b"content-length: %d\r\n\r\n" % len(HIDDEN), b"transfer-encoding: chunked\r\n\r\n26\r\n"]
)
def test_body_of_a_request_refused_before_it_was_read_is_no_request(wire: Wire, framing: bytes) -> None:
    end = b"\r\n0\r\n\r\n" if b"chunked" in framing else b""
    wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n" + framing)
    assert [status for status, _ in wire.receive(1)] == [401]
    wire.send(HIDDEN + end)
    wire.send(b"GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n")
    assert [status for status, _ in wire.receive(2)] == [401, 404]


def test_request_that_offers_an_upgrade_is_served_with_its_body(product: GatewayProcess) -> None:
    """As Java's client asks for HTTP/2 with the first request of every connection."""
    offer = {
        "connection": "Upgrade, HTTP2-Settings",
        "upgrade": "h2c",
        "http2-settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    }
    answer = product.chat({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}, headers=offer)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"]


def test_nonsense_behind_a_request_does_not_become_its_answer(product: GatewayProcess, wire: Wire) -> None:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\ncontent-length: %d\r\n\r\n"
    wire.send(head % (product.key.encode(), len(body)) + body + b"\x00nonsense\r\n\r\n")
    assert [status for status, _ in wire.receive(1)] == [200]
    assert len(wire.end()) == 1


def test_client_that_leaves_a_stream_with_another_request_behind_it_is_noticed(
    product: GatewayProcess, wire: Wire
) -> None:
    asked = {
        "model": "auto",
        "stream": True,
        "messages": [{"role": "user", "content": "Count to 500 [[sim: pace=0.05]]"}],
    }
    body = json.dumps(asked).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\ncontent-length: %d\r\n\r\n"
    wire.send(head % (product.key.encode(), len(body)) + body + HIDDEN)
    request_id = wire.receive_fields()[b"x-request-id"].decode()
    wire.hang_up()
    assert product.row(request_id, seconds=15)["end_reason"] == "client_gone"
