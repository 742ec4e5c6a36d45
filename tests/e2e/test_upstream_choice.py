"""No parameter, header, query or model name of a client chooses where the gateway calls, or as whom."""

import socket
from collections.abc import Iterator

import pytest
from support.upstreams import on_loop
from support.worker import FP8, asking, running_worker

NAMES = (
    "base_url", "api_base", "api_url", "url", "endpoint", "host", "proxy", "upstream", "upstream_url", "target_url",
    "account_id", "account", "api_token", "api_key", "organization", "gateway", "provider", "webhook",
)  # fmt: skip
HEADERS = (
    "x-forwarded-host", "x-forwarded-for", "x-original-url", "x-rewrite-url", "x-upstream-url", "x-base-url",
    "helicone-target-url", "x-portkey-custom-host", "x-litellm-api-base", "cf-account-id", "x-account-id",
    "x-auth-key", "cf-aig-authorization", "openai-organization", "openai-project", "proxy-authorization", "forwarded",
)  # fmt: skip
MODELS = ("@cf/meta/../../../other/ai/run/x", "http://{trap}/x", "@cf/x?account=other", "../{trap}", "@cf/a%2f..%2fb")


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    """A listener nobody may call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@on_loop
async def test_nothing_a_client_sends_chooses_url_or_account(store_url: str, trap: socket.socket) -> None:
    place = f"127.0.0.1:{trap.getsockname()[1]}"
    url = f"http://{place}/client/v4/accounts/other"
    async with running_worker(store_url) as worker:
        for name in NAMES:
            for value in (url, {"url": url, "account_id": "other"}):
                body = {**asking("hello"), name: value}
                answer = await worker.request("POST", "/v1/chat/completions", json=body)
                assert answer.status_code in (200, 400), (name, answer.text)
        for name in HEADERS:
            answer = await worker.request(
                "POST", "/v1/chat/completions", json=asking("hello"), headers={name: url.removeprefix("http://")}
            )
            assert answer.status_code == 200, (name, answer.text)
        query = "&".join(f"{name}={url}" for name in NAMES)
        assert (await worker.request("POST", f"/v1/chat/completions?{query}", json=asking("hi"))).status_code == 200
        for model in MODELS:
            answer = await worker.ask("hello", model.format(trap=place))
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        calls = worker.upstream.record.calls
        assert {call.model for call in calls} == {FP8}
        assert "other" not in worker.upstream.account_id
    with pytest.raises(BlockingIOError):
        trap.accept()
