"""Thousands of odd requests: every answer is an answer or OpenAI's envelope, never a 500, and the ledger agrees.

2,000 here; `FUZZ_REQUESTS=20000 FUZZ_SEED=7 pytest tests/e2e/test_fuzz.py` for more.
"""

import json
import os
from random import Random
from typing import Any

import httpx2
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from support.fuzz_requests import make_body
from support.gateway import GatewayProcess

COUNT = int(os.environ.get("FUZZ_REQUESTS", "2000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
REFUSALS = {400, 401, 404, 429, 502, 503}


def check(answer: httpx2.Response, body: bytes) -> None:
    if answer.status_code != 200:
        assert answer.status_code in REFUSALS, (answer.status_code, answer.text, body)
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}, body
        assert isinstance(error["message"], str)
        assert isinstance(error["type"], str)
    elif answer.headers["content-type"] == "application/json":
        ChatCompletion.model_validate(answer.json(), strict=True)
    else:
        check_stream(answer.text, body)


def check_stream(text: str, body: bytes) -> None:
    events = [part for part in text.split("\n\n") if part]
    assert events[-1] == "data: [DONE]", body
    for event in events[:-1]:
        payload: Any = json.loads(event.removeprefix("data: "))
        if "error" not in payload:
            ChatCompletionChunk.model_validate(payload, strict=True)


def test_fuzz_odd_requests_get_an_answer_or_an_envelope(product: GatewayProcess) -> None:
    random = Random(SEED)
    _, key = product.make_key("fuzz")
    statuses: dict[int, int] = {}
    with httpx2.Client(trust_env=False, timeout=60, headers={"authorization": f"Bearer {key}"}) as client:
        for _ in range(COUNT):
            body = make_body(random)
            answer = client.post(f"{product.base_url}/chat/completions", content=body)
            check(answer, body)
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
    assert statuses[200] > COUNT // 20
    assert statuses[400] > COUNT // 20
