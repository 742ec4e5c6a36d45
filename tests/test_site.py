"""What is no surface, over HTTP: models, health, and the refusal of URLs and methods."""

import pytest
from support.upstreams import on_loop
from support.valkey import throw_away_store
from support.worker import FP8, running_worker

from gateway.core.errors import MethodNotAllowed
from gateway.relay import AsgiEvent, Scope
from gateway.site import Endpoint, method_not_allowed, refuse
from gateway.surfaces import SURFACES

MODEL = "%40cf%2Fmeta%2Fllama-3.1-8b-instruct-fp8"


@on_loop
async def test_models_are_listed_for_a_key_only(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        listed = (await worker.request("GET", "/v1/models")).json()
        assert listed["object"] == "list"
        assert {"auto", FP8} < {entry["id"] for entry in listed["data"]}
        nobody = await worker.http.get("/v1/models")
        assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, None)
        wrong = await worker.http.get("/v1/models", headers={"x-api-key": "sk-wrong"})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (FP8, FP8),
        (MODEL, FP8),
        (MODEL.replace("%", "%25"), FP8),
        ("llama-3.1-8b-instruct-fp8", FP8),
        ("auto", "auto"),
        ("nothing", None),
        ("", None),
        ("..%2F..%2Fetc", None),
    ],
)
@on_loop
async def test_model_by_any_of_its_names(store_url: str, path: str, found: str | None) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.request("GET", f"/v1/models/{path}")
        if found is None:
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        else:
            assert (answer.status_code, answer.json()["id"]) == (200, found)


@on_loop
async def test_models_after_a_revocation_are_refused_at_once(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        assert (await worker.request("GET", "/v1/models")).status_code == 200
        await worker.admin("POST", f"/projects/{worker.project}/archive")
        assert (await worker.request("GET", "/v1/models")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/", 404, "unknown_url"),
        ("POST", "/v1/completion", 404, "unknown_url"),
        ("GET", "/v1/models/../chat", 404, "unknown_url"),
        ("GET", "/v1/chat/completions/", 404, "unknown_url"),
        ("OPTIONS", "/nowhere", 404, "unknown_url"),
        *(
            (method, path, 405, "method_not_supported")
            for method in ("GET", "PUT", "DELETE", "OPTIONS")
            for path in SURFACES
        ),
        ("POST", "/healthz", 405, "method_not_supported"),
        ("OPTIONS", "/v1/models", 405, "method_not_supported"),
        ("DELETE", f"/v1/models/{FP8}", 405, "method_not_supported"),
    ],
)
@on_loop
async def test_url_or_method_unknown_is_an_envelope(
    store_url: str, method: str, path: str, status: int, code: str
) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.headers["x-request-id"].startswith("req_")


@on_loop
async def test_bare_address_leads_to_the_dashboard(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.http.get("/")
        assert (answer.status_code, answer.headers["location"]) == (307, "/dashboard")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/readyz", 200), ("/v1/models", 200), ("/nowhere", 404), *((path, 405) for path in SURFACES)],
)
@on_loop
async def test_head_has_a_status_and_no_body(store_url: str, path: str, status: int) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.request("HEAD", path)
        assert (answer.status_code, answer.content) == (status, b"")


@on_loop
async def test_models_while_the_store_is_frozen_are_503() -> None:
    with throw_away_store() as store:
        async with running_worker(store.url) as worker:
            store.freeze()
            try:
                answer = await worker.request("GET", "/v1/models")
            finally:
                store.thaw()
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")


async def nothing() -> AsgiEvent:
    return {"type": "http.disconnect"}


class Sent:
    """Collects what an endpoint sends."""

    def __init__(self) -> None:
        self.events: list[AsgiEvent] = []

    async def __call__(self, event: AsgiEvent) -> None:
        self.events.append(event)


def scope(method: str = "GET", path: str = "/x") -> Scope:
    return {"type": "http", "method": method, "path": path, "headers": []}


@on_loop
async def test_endpoint_defect_is_500_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_: Scope) -> tuple[int, object]:
        raise ZeroDivisionError("a defect")

    sent = Sent()
    await Endpoint(broken)(scope(), nothing, sent)
    assert sent.events[0]["status"] == 500
    assert b"a defect" not in sent.events[1]["body"]
    assert "ZeroDivisionError" in caplog.text
    assert "GET /x failed" in caplog.text


@on_loop
async def test_refuse_answers_with_the_error_alone() -> None:
    error = method_not_allowed(scope("PATCH", "/v1/models"))
    assert isinstance(error, MethodNotAllowed)
    sent = Sent()
    await refuse(error, scope(), nothing, sent)
    assert sent.events[0]["status"] == 405
    assert b"Not allowed to PATCH on /v1/models" in sent.events[1]["body"]
