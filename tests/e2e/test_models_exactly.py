"""Every built-in model at the edges of what the catalogue says: its window to the token, its prices to the nano."""

import json
from pathlib import Path

import pytest
from support.raw_server import Exchange, raw_server
from support.upstreams import on_loop
from support.worker import asking, running_worker

from gateway.config.load import load
from gateway.core.catalog import Model
from gateway.core.eligibility import CHARS_PER_TOKEN

MODELS = load("", {}, Path("/"), demo=False).catalog.models
MTOK = 1_000_000
EVERY_MODEL = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
SHORT = "hello"
DENSE = "€ß"  # more tokens than a quarter of its characters: our count decides
WIDE = "internationalization "  # fewer: the upstream's own estimate decides; one message has 131,072 characters at most


@EVERY_MODEL
@on_loop
async def test_window_is_kept_to_the_token(store_url: str, model: Model) -> None:
    async with running_worker(store_url) as worker:
        for text in (SHORT, DENSE * (model.window_tokens // 4), WIDE * min(6_000, model.window_tokens // 8)):
            said = (await worker.request("POST", "/v1/explain", json=asking(text, model.id, max_tokens=1))).json()
            counted = max(said["prompt_tokens"], -(-len(text.strip()) // CHARS_PER_TOKEN))
            room = model.window_tokens - counted
            assert room > 1, (text[:10], counted)
            for beyond in (-1, 0, 1):
                answer = await worker.ask(text, model.id, max_tokens=room + beyond)
                assert answer.status_code == (400 if beyond > 0 else 200), (text[:10], beyond, answer.text)
            error = answer.json()["error"]
            assert error["code"] == "context_length_exceeded"
            assert f"maximum context length is {model.window_tokens} tokens" in error["message"]
            assert f"{said['prompt_tokens']} counted" in error["message"]
        for call in worker.upstream.record.calls:
            assert call.status == 200


@EVERY_MODEL
@on_loop
async def test_a_million_tokens_in_and_out_cost_the_price_entry(store_url: str, model: Model) -> None:
    used = {"prompt_tokens": 0, "completion_tokens": 0}

    async def answer(exchange: Exchange) -> None:
        document = {"result": {"response": "x", "usage": used}, "success": True, "errors": [], "messages": []}
        body = json.dumps(document).encode()
        await exchange.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        )
        await exchange.send(body)

    async with raw_server(answer) as server, running_worker(store_url, upstream={"base_url": server.url}) as worker:
        for number, (tokens_in, tokens_out) in enumerate(((MTOK, 0), (0, MTOK), (MTOK, MTOK)), 1):
            used |= {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
            told = await worker.ask("hello", model.id)
            row = (await worker.rows(number))[-1]
            price = model.price_at(row.created_ms / 1000)
            expected = (tokens_in and price.input_nano_per_mtok) + (tokens_out and price.output_nano_per_mtok)
            assert (row.model, row.cost_nano, row.usage_source) == (model.id, expected, "reported")
            assert told.headers["x-gateway-cost-usd"] == f"{expected / 1e9:.9f}"
