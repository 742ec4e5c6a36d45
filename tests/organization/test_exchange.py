"""What is common to all admin requests: admission, URLs, methods, bodies, headers, and the store being away."""

import re
import time

import httpx2
import openai
import pytest
from support.admin_gateway import ADMIN_KEY, AdminGateway, admin_gateway
from support.valkey import throw_away_store

from gateway.organization.exchange import MAX_BODY_BYTES


def error_of(answer: httpx2.Response) -> dict[str, object]:
    """The envelope's inside, after checking its outside."""
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, object] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


@pytest.mark.parametrize(
    ("authorization", "code", "start"),
    [
        (None, None, "You didn't provide an API key."),
        ("", None, "You didn't provide an API key."),
        ("Bearer", None, "You didn't provide an API key."),
        (f"Basic {ADMIN_KEY}", None, "You didn't provide an API key."),
        ("Bearer sk-short", "invalid_api_key", "Incorrect API key provided: …."),
        (f"Bearer {ADMIN_KEY}x", "invalid_api_key", "Incorrect API key provided: sk-…789x."),
        ("Bearer sk-ädmin-only-for-tests-0123456", "invalid_api_key", "Incorrect API key provided: …."),
    ],
)
def test_endpoint_not_admitted_is_401(
    gateway: AdminGateway, authorization: str | None, code: str | None, start: str
) -> None:
    headers = [] if authorization is None else [(b"authorization", authorization.encode("latin-1"))]
    answer = httpx2.get(f"{gateway.url}/v1/organization/projects", headers=headers, trust_env=False)
    assert answer.status_code == 401
    error = error_of(answer)
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, None)
    assert str(error["message"]).startswith(start)
    assert ADMIN_KEY not in answer.text


def test_endpoint_bearer_in_any_case_is_admitted(gateway: AdminGateway) -> None:
    headers = {"authorization": f"bearer  {ADMIN_KEY}"}
    answer = httpx2.get(f"{gateway.url}/v1/organization/projects", headers=headers, trust_env=False)
    assert answer.status_code == 200


def test_endpoint_every_answer_has_an_own_request_id(http: httpx2.Client) -> None:
    answers = [http.get("/projects"), http.get("/projects"), http.get("/nope"), http.get("/ledger?limit=x")]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 4
    assert all(re.fullmatch(r"req_[0-9a-f]{32}", each) for each in ids)
    assert all(answer.headers["openai-processing-ms"].isdecimal() for answer in answers)
    assert all(answer.headers["cache-control"] == "no-store" for answer in answers)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/nope", "/projects/p/nope", "/projects/p/api_keys/k/rotate/now"])
def test_endpoint_unknown_url_is_404(http: httpx2.Client, method: str, path: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 404
    assert error_of(answer) == {
        "message": f"Invalid URL ({method} /v1/organization{path})",
        "type": "invalid_request_error",
        "param": None,
        "code": "unknown_url",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/projects"), ("DELETE", "/projects/p"), ("POST", "/costs"), ("GET", "/projects/p/archive")],
)
def test_endpoint_wrong_method_is_405(http: httpx2.Client, method: str, path: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 405
    error = error_of(answer)
    assert error["code"] == "method_not_supported"
    assert str(error["message"]).startswith(f"Not allowed to {method} on /v1/organization{path}.")


@pytest.mark.parametrize("body", [b"{", b"{'name':'x'}", b"\xff\xfe", b"nonsense", b'{"name":"a"} x'])
def test_endpoint_body_not_json_is_400(http: httpx2.Client, body: bytes) -> None:
    answer = http.post("/projects", content=body)
    assert answer.status_code == 400
    assert str(error_of(answer)["message"]).startswith("We could not parse the JSON body of your request.")


@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"null", b"true", b"1.5"])
def test_endpoint_body_no_object_is_400(http: httpx2.Client, body: bytes) -> None:
    answer = http.post("/projects", content=body)
    assert answer.status_code == 400
    assert error_of(answer)["code"] == "invalid_type"


def test_endpoint_body_too_large_is_413(http: httpx2.Client) -> None:
    answer = http.post("/projects", content=b'{"name":"' + b"x" * MAX_BODY_BYTES + b'"}')
    assert answer.status_code == 413
    assert error_of(answer)["code"] == "request_too_large"


@pytest.mark.parametrize(
    ("path", "param", "code"),
    [
        ("/projects?limit=101", "limit", "integer_above_max_value"),
        ("/projects?limit=0", "limit", "integer_below_min_value"),
        ("/projects?limit=ten", "limit", "invalid_type"),
        ("/projects?order=up", "order", "invalid_value"),
        ("/projects?after=proj_nope", "after", "invalid_value"),
        ("/projects?include_archived=1", "include_archived", "invalid_value"),
        ("/projects?offset=3", "offset", "unknown_parameter"),
    ],
)
def test_lists_bad_parameter_is_refused_by_name(http: httpx2.Client, path: str, param: str, code: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 400
    assert (error_of(answer)["param"], error_of(answer)["code"]) == (param, code)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/projects/proj_nope"),
        ("POST", "/projects/proj_nope/archive"),
        ("GET", "/projects/proj_nope/api_keys"),
        ("GET", "/projects/proj_nope/service_accounts"),
        ("GET", "/projects/proj_nope/spend_limit"),
        ("DELETE", "/projects/proj_nope/api_keys/key_nope"),
    ],
)
def test_objects_unknown_id_is_404(http: httpx2.Client, method: str, path: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "not_found"


def test_endpoint_sdk_sees_message_code_and_request_id(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.admin.organization.projects.retrieve("proj_nope")
    assert refused.value.code == "not_found"
    assert refused.value.request_id is not None
    assert refused.value.request_id.startswith("req_")


def test_endpoint_store_gone_is_503_not_a_hang() -> None:
    with throw_away_store() as store, admin_gateway(store.url) as gateway:
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        with httpx2.Client(base_url=f"{gateway.url}/v1/organization", headers=headers, trust_env=False) as http:
            assert http.post("/projects", json={"name": "a"}).status_code == 200
            store.kill()
            answer = http.post("/projects", json={"name": "b"})
            assert answer.status_code == 503
            assert error_of(answer)["code"] == "store_unavailable"
            store.start()
            # The store's client refuses at once for a moment after a failed connect: ask until it tries again.
            deadline = time.monotonic() + 20
            while (answer := http.get("/projects")).status_code == 503 and time.monotonic() < deadline:
                assert error_of(answer)["code"] == "store_unavailable"
            assert [each["name"] for each in answer.json()["data"]] == ["a"]
