"""`python -m benchmarks.parts`: what each part of the way costs by itself, in microseconds of processor time per call.

Best of several rounds, so that a busy machine shows less. The parts do not add up to a request: here caches are warm.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import msgspec

from gateway.config.load import load
from gateway.core.answer import Completion, Delta, Usage
from gateway.core.contracts import Answer
from gateway.core.eligibility import Facts
from gateway.core.receipt import Attempt, Receipt
from gateway.core.routing import plan
from gateway.core.sse import SseParser
from gateway.core.stream import ChoiceReader
from gateway.core.templates import count_prompts, texts_to_count
from gateway.ledger.spool import create_spool
from gateway.log.access import AccessLine, AccessLog
from gateway.log.writer import LineWriter
from gateway.metrics import Metrics
from gateway.surfaces.chat import CHAT
from gateway.tokenizer import VocabularyTokenizer, estimate_tokens, load_tokenizer, read_vocabulary
from gateway.tracing.context import read_trace
from gateway.upstreams import UPSTREAMS

_ROUNDS = 5
_ROUND_SECONDS = 0.1
_SENTENCE = "The quick brown fox jumps over the lazy dog and goes home. "
_REQUEST = msgspec.json.encode(
    {
        "model": "@cf/meta/llama-3.1-8b-instruct-fp8",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": _SENTENCE * 16}],
        "max_tokens": 256,
        "stream": False,
    }
)
_REPLY = msgspec.json.encode(
    {
        "result": {
            "response": _SENTENCE * 5,
            "tool_calls": [],
            "usage": {"prompt_tokens": 200, "completion_tokens": 61, "total_tokens": 261},
        },
        "success": True,
        "errors": [],
        "messages": [],
    }
)
_NATIVE = b'{"response":" over","p":"abcdefghijklmnopqrstuvw"}'
_CHUNK = (
    b'{"choices":[{"delta":{"content":" over","reasoning_content":null},"finish_reason":null,"index":0}],'
    b'"created":1791402526,"id":"f962191d3d2f47418286b60056319eb5","model":"@cf/meta/llama-3.1-8b-fast-v2","object":'
    b'"chat.completion.chunk","p":"abcdefghijkl","usage":{"prompt_tokens":0,"completion_tokens":1,"total_tokens":1}}'
)


class _Native(msgspec.Struct):
    response: str
    p: str = ""


def main() -> None:
    """Prints the table."""
    print("| part | µs |\n|---|---:|")
    for name, act in _parts():
        print(f"| {name} | {measure(act):,.2f} |", flush=True)


def measure(act: Callable[[], object]) -> float:
    """Microseconds of processor time per call: the best of several rounds of at least a tenth of a second."""
    count, best = 1, float("inf")
    while True:
        seconds = _time(act, count)
        if seconds >= _ROUND_SECONDS:
            break
        count = max(count * 2, int(count * _ROUND_SECONDS / max(seconds, 1e-6)))
    for _ in range(_ROUNDS):
        best = min(best, _time(act, count) / count)
    return best * 1e6


def _time(act: Callable[[], object], count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        act()
    return time.process_time() - started


def _parts() -> Iterator[tuple[str, Callable[[], object]]]:
    yield from _request_parts()
    yield from _stream_parts()
    yield from _tokenizer_parts()
    yield from _codec_parts()
    yield from _observing_parts()
    with tempfile.TemporaryDirectory(prefix="parts-") as folder:
        spool = create_spool(Path(folder))

        def append() -> None:
            spool.prepare()  # the forwarder does this between requests
            spool.append(bytes(600))

        yield "spool: append a receipt of 600 bytes", append
        spool.close()


def _request_parts() -> Iterator[tuple[str, Callable[[], object]]]:
    catalog = load("", {}, Path.cwd(), demo=True).catalog
    workers_ai = UPSTREAMS["workers_ai"]
    call = CHAT.parse(msgspec.json.decode(_REQUEST))
    tokenizer = load_tokenizer()
    prompts = count_prompts(call, texts_to_count(call), tokenizer.count)
    facts = Facts(time.time(), prompts, 1_000, 960)
    candidate = plan(call, catalog, facts).candidates[0]
    completion = Completion(_SENTENCE * 5, (), "stop", Usage(200, 61))
    answer = Answer("chatcmpl-1", 1_791_402_526, candidate.model.id, (completion,), Usage(200, 61))
    yield "JSON: decode a request of 1 KB", lambda: msgspec.json.decode(_REQUEST)
    yield "chat: parse it, decoded", lambda: CHAT.parse(msgspec.json.decode(_REQUEST))
    yield "templates: count its prompt, text known", lambda: count_prompts(call, texts_to_count(call), tokenizer.count)
    yield "routing: plan it", lambda: plan(call, catalog, facts)
    yield "Workers AI: build the upstream request", lambda: workers_ai.request(call, candidate.model, 256)
    yield "Workers AI: read a whole answer", lambda: workers_ai.completion(200, {}, _REPLY, call, 256)
    yield "chat: render the answer", lambda: CHAT.render(answer, call)


def _stream_parts() -> Iterator[tuple[str, Callable[[], object]]]:
    call = CHAT.parse(msgspec.json.decode(_REQUEST))
    stream = UPSTREAMS["workers_ai"].stream
    encoder = CHAT.stream(call, "chatcmpl-1", 1_791_402_526, "llama")
    parser = SseParser()
    delta = Delta(" over")
    encoder.start()
    for name, data in (("native", _NATIVE), ("OpenAI-shaped", _CHUNK)):
        framed = b"data: " + data + b"\n\n"
        decoder = stream(call, 256)
        yield f"SSE: frame one {name} event", lambda framed=framed: parser.feed(framed)  # type: ignore[misc]  # bound
        yield f"Workers AI: decode one {name} event", lambda decoder=decoder, data=data: decoder.event(data)  # type: ignore[misc]  # bound
        reader = ChoiceReader(stream(call, 256))
        yield f"bytes to events, one {name} event", lambda reader=reader, framed=framed: reader.feed(framed)  # type: ignore[misc]  # bound
    yield "chat: encode one delta", lambda: encoder.delta(0, delta)


def _tokenizer_parts() -> Iterator[tuple[str, Callable[[], object]]]:
    tokenizer = load_tokenizer()
    text = (_SENTENCE * 20)[:1_000]
    if isinstance(tokenizer, VocabularyTokenizer):
        yield "tokenizer: 1,000 characters, exact", lambda: tokenizer.encode(text)
    yield f"tokenizer: 1,000 characters again ({tokenizer.name})", lambda: tokenizer.count(text)
    yield "tokenizer: 1,000 characters, estimate", lambda: estimate_tokens(text)
    yield "tokenizer: load", _load_anew


def _load_anew() -> object:
    read_vocabulary.cache_clear()
    return load_tokenizer()


def _codec_parts() -> Iterator[tuple[str, Callable[[], object]]]:
    native = msgspec.json.Decoder(_Native)
    anything = msgspec.json.Decoder()
    encoder = msgspec.json.Encoder()
    reply = msgspec.json.decode(_REPLY)
    yield "msgspec: one native event into a Struct", lambda: native.decode(_NATIVE)
    yield "msgspec: one native event into a dict", lambda: anything.decode(_NATIVE)
    yield "msgspec: one OpenAI-shaped event into a dict", lambda: anything.decode(_CHUNK)
    yield "msgspec: encode a whole answer", lambda: encoder.encode(reply)
    if find_spec("orjson") is not None:
        orjson = import_module("orjson")  # to compare with; nothing else uses it
        yield "orjson: one native event into a dict", lambda: orjson.loads(_NATIVE)
        yield "orjson: one OpenAI-shaped event into a dict", lambda: orjson.loads(_CHUNK)
        yield "orjson: encode a whole answer", lambda: orjson.dumps(reply)


def _observing_parts() -> Iterator[tuple[str, Callable[[], object]]]:
    attempt = Attempt("@cf/meta/llama", "stop", 200, 61, latency_ms=290)
    facts = {"organization_id": "default", "project_id": "proj_1", "api_key_id": "key_1", "surface": "chat"}
    asked = {"requested_model": "auto", "route": "auto", "reason": "cheapest", "model": "@cf/meta/llama"}
    used = {"prompt_tokens": 200, "completion_tokens": 61, "cached_tokens": 0, "cost_nano": 4_790, "neurons_nano": 435}
    known = {"usage_source": "reported", "price_source": "page", "end_reason": "stop", "upstream": "simulator"}
    took = {"status": 200, "stream": False, "latency_ms": 300, "ttft_ms": None, "created_ms": 1, "attempts": [attempt]}
    receipt = msgspec.convert({"id": "req_1", **facts, **asked, **used, **known, **took}, Receipt, from_attributes=True)
    metrics = Metrics()
    yield "metrics: a request of one attempt", lambda: metrics.observe(receipt, 0.0003)
    with open(os.devnull, "wb") as nowhere:
        for log_format in ("json", "console"):
            log = AccessLog(LineWriter(nowhere.fileno()), log_format, time.time)

            def write(log: AccessLog = log) -> None:
                said = {"time": log.now(), "level": "info", "logger": "gateway.access", "id": "req_" + "0" * 32}
                line = AccessLine(**said, method="POST", path="/v1/chat/completions", status=200, ms=300)
                line.project, line.key, line.model, line.end = "proj_1", "key_1", "@cf/meta/llama", "stop"
                line.prompt_tokens, line.completion_tokens, line.cost_usd = 200, 61, "0.000004790"
                log.write(line)

            yield f"log: a line per request, {log_format}", write
            log.close()
    yield "trace: read a caller's context", lambda: read_trace(f"00-{'4b' * 16}-{'0f' * 8}-01", None, 1.0)


if __name__ == "__main__":
    main()
