"""Asks the real upstream every open question and records its answers, byte for byte.

Neither the token nor the account id is in a record, wherever the upstream repeats them, and no cookie. A question that
fails is a record, too: nothing ends the probe but the caller.
"""

import asyncio
import base64
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.client.contract import Client, Reply
from gateway.client.select import create_client
from gateway.config.settings import UpstreamSettings
from gateway.core.answer import Failure
from gateway.core.catalog import Model
from gateway.core.templates import count_prompt
from gateway.diagnosis.questions import BURST, QUESTIONS, Body, Question
from gateway.tokenizer import Tokenizer

_SECONDS: Final = 120.0
_MOST_BYTES: Final = 256 * 1024
_AT_ONCE: Final = 16
_CATALOGUE: Final = "/ai/models/search?search=llama&per_page=100"
_encode = msgspec.json.Encoder().encode


class Piece(msgspec.Struct):
    """What one network read brought, and when: milliseconds after the call was sent. Base64 where it is no text."""

    ms: int
    text: str = ""
    base64: str = ""


class Record(msgspec.Struct, omit_defaults=True):
    """One answer. `failure` stands where there was none; `ours` is our own count of the prompt's tokens."""

    question: str
    about: str
    model: str
    asked_at: float  # unix seconds
    request: Body | None = None
    status: int = 0
    headers: dict[str, str] = {}
    body: list[Piece] = []
    failure: str = ""
    ours: int | None = None
    times: int = 1  # how often this same answer came

    @property
    def text(self) -> str:
        """The body in one piece."""
        return "".join(piece.text for piece in self.body)


@dataclass(slots=True, frozen=True)
class Probe:
    """What to ask and whom. `burst` is the number of calls sent at once to meet the per-minute limit; 0 sends none."""

    settings: UpstreamSettings
    models: Sequence[Model]
    tokenizer: Tokenizer
    burst: int = 0

    async def records(self) -> AsyncGenerator[Record]:
        """Every answer, as it comes."""
        client = create_client(self.settings)
        try:
            yield await self._catalogue(client)
            for model in self.models:
                for question in QUESTIONS:
                    yield await self._ask(client, question, model)
            if self.burst and self.models:
                for record in await self._burst(client, self.models[0]):
                    yield record
        finally:
            await client.close()

    async def _catalogue(self, client: Client) -> Record:
        record = Record("catalogue", "published windows and prices, free of charge", "", time.time())
        reply = await client.get(_CATALOGUE, _deadline())
        return self._filled(record, reply, 0)

    async def _ask(self, client: Client, question: Question, model: Model) -> Record:
        asked = question.model or model.id
        record = Record(
            question.name, question.about, asked, time.time(), question.body, ours=self._count(question, model)
        )
        path, body = f"/ai/run/{asked}", _encode(question.body)
        started = time.monotonic()
        if question.body.get("stream"):
            return await self._read_stream(client, path, body, record)
        reply = await client.fetch(path, body, _deadline())
        return self._filled(record, reply, round((time.monotonic() - started) * 1000))

    async def _read_stream(self, client: Client, path: str, body: bytes, record: Record) -> Record:
        started = time.monotonic()
        stream = await client.open(path, body, _deadline())
        if isinstance(stream, Failure):
            return self._filled(record, stream, 0)
        record.status, record.headers = stream.status, self._headers(stream.headers)
        chunks: list[tuple[int, bytes]] = []
        try:
            while sum(len(chunk) for _, chunk in chunks) < _MOST_BYTES:
                chunk = await stream.read()
                if isinstance(chunk, Failure):
                    record.failure = self._clean(f"{chunk.kind}: {chunk.message}")
                    break
                if not chunk:
                    break
                chunks.append((round((time.monotonic() - started) * 1000), chunk))
        finally:
            await stream.close()
        whole = b"".join(chunk for _, chunk in chunks)
        if self._clean_bytes(whole) != whole:  # a credential may be spread over several reads
            chunks = [(chunks[-1][0], whole)]
        record.body = [self._piece(chunk, ms) for ms, chunk in chunks]
        return record

    async def _burst(self, client: Client, model: Model) -> list[Record]:
        """The different answers to many calls at once, each with how often it came."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def ask() -> Record:
            async with gate:
                return await self._ask(client, BURST, model)

        found: dict[tuple[int, str], Record] = {}
        for record in await asyncio.gather(*(ask() for _ in range(self.burst))):
            kind = (record.status, record.failure)
            if kind in found:
                found[kind].times += 1
            else:
                found[kind] = record
        return list(found.values())

    def _filled(self, record: Record, reply: Reply | Failure, ms: int) -> Record:
        if isinstance(reply, Failure):
            record.failure = self._clean(f"{reply.kind}: {reply.message}")
            return record
        record.status, record.headers = reply.status, self._headers(reply.headers)
        record.body = [self._piece(reply.body[:_MOST_BYTES], ms)]
        return record

    def _piece(self, chunk: bytes, ms: int) -> Piece:
        try:
            return Piece(ms, self._clean(chunk.decode()))
        except UnicodeDecodeError:  # a character cut in two by the network
            return Piece(ms, base64=base64.b64encode(self._clean_bytes(chunk)).decode())

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: self._clean(headers[name]) for name in headers if name != "set-cookie"}

    def _clean(self, text: str) -> str:
        return self._clean_bytes(text.encode()).decode()

    def _clean_bytes(self, data: bytes) -> bytes:
        for secret, shown in ((self.settings.api_token, b"<token>"), (self.settings.account_id, b"<account>")):
            if secret:
                data = data.replace(secret.encode(), shown)
        return data

    def _count(self, question: Question, model: Model) -> int | None:
        """Our own count; None where tools are offered, whose place in the prompt is one of the questions."""
        if "tools" in question.body or not question.texts:
            return None
        contents = [(role, self.tokenizer.count(text.strip())) for role, text in question.texts]
        return count_prompt(model.template, contents, 0)


def _deadline() -> float:
    return asyncio.get_running_loop().time() + _SECONDS
