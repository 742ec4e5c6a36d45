"""Every refusal, over raw HTTP: status, code and param of OpenAI's envelope, and nothing held or billed for it."""

from typing import Any

import httpx2
import pytest
from support.gateway import ADMIN_KEY, GatewayProcess

HELLO = [{"role": "user", "content": "Hello"}]


def error_of(answer: httpx2.Response) -> tuple[int, str, str | None, str | None]:
    body = answer.json()
    assert set(body) - {"gateway"} == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    assert body["error"]["message"]
    return answer.status_code, body["error"]["type"], body["error"]["code"], body["error"]["param"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{", (400, None, None)),
        ("", (400, None, None)),
        ("[" * 100_000, (400, None, None)),
        ("[]", (400, None, None)),
        ({"messages": HELLO}, (400, None, None)),
        ({"model": "auto"}, (400, "missing_required_parameter", "messages")),
        ({"model": "auto", "messages": []}, (400, "empty_array", "messages")),
        ({"model": "auto", "messages": "hello"}, (400, "invalid_type", "messages")),
        ({"model": "auto", "messages": [{"role": "user", "content": 3}]}, (400, "invalid_type", "messages[0].content")),
        (
            {"model": "auto", "messages": [{"role": "robot", "content": "x"}]},
            (400, "invalid_value", "messages[0].role"),
        ),
        ({"model": "auto", "messages": HELLO, "temperature": 9}, (400, "decimal_above_max_value", "temperature")),
        ({"model": "auto", "messages": HELLO, "max_tokens": 0}, (400, "integer_below_min_value", "max_tokens")),
        ({"model": "auto", "messages": HELLO, "logprobs": True}, (400, "unsupported_parameter", "logprobs")),
        ({"model": "gpt-9", "messages": HELLO}, (404, "model_not_found", None)),
    ],
)
def test_chat_bad_body_is_refused_in_the_envelope(
    product: GatewayProcess, body: Any, expected: tuple[int, str | None, str | None]
) -> None:
    status, kind, code, param = error_of(product.chat(body))
    assert (status, code, param) == expected
    assert kind == "invalid_request_error"


def test_chat_prompt_larger_than_every_window_names_the_windows(product: GatewayProcess) -> None:
    answer = product.chat({"model": "auto", "messages": [{"role": "user", "content": "word " * 130_000}]})
    assert error_of(answer) == (400, "invalid_request_error", "context_length_exceeded", "messages")
    message = answer.json()["error"]["message"]
    assert message.startswith("This model's maximum context length is 128000 tokens.")
    assert "@cf/meta/llama-3.1-8b-instruct-fp8" in message


def test_chat_body_over_the_limit_is_413(product: GatewayProcess) -> None:
    answer = product.chat(b'{"x": "' + b"a" * (4 * 1024 * 1024) + b'"}')
    assert error_of(answer)[:3] == (413, "invalid_request_error", "request_too_large")


@pytest.mark.parametrize("path", ["/chat/completions", "/models"])
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, None),
        ({"authorization": "Bearer"}, None),
        ({"authorization": "Basic x"}, None),
        ({"authorization": "Bearer sk-wrong"}, "invalid_api_key"),
        ({"x-api-key": "sk-wrong"}, "invalid_api_key"),
        ({"authorization": "Bearer \xe9"}, "invalid_api_key"),
    ],
)
def test_key_missing_or_wrong_is_401(
    product: GatewayProcess, path: str, headers: dict[str, str], code: str | None
) -> None:
    method = "POST" if path == "/chat/completions" else "GET"
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = httpx2.request(method, f"{product.base_url}{path}", headers=encoded, trust_env=False)
    assert error_of(answer) == (401, "invalid_request_error", code, None)


def test_key_revoked_is_401_on_the_next_request(product: GatewayProcess) -> None:
    project, key = product.make_key("to be revoked")
    assert product.chat({"model": "auto", "messages": HELLO}, key).status_code == 200
    key_id = product.admin("GET", f"/projects/{project}/api_keys")["data"][0]["id"]
    product.admin("DELETE", f"/projects/{project}/api_keys/{key_id}")
    assert error_of(product.chat({"model": "auto", "messages": HELLO}, key))[:3] == (
        401, "invalid_request_error", "invalid_api_key",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "unknown_url"),
        ("POST", "/", 404, "unknown_url"),
        ("GET", "/v1/chat/completions", 405, "method_not_supported"),
        ("DELETE", "/v1/models", 405, "method_not_supported"),
        ("GET", "/v1/models/", 404, "model_not_found"),
        ("GET", "/v1/models/nothing", 404, "model_not_found"),
    ],
)
def test_url_or_method_unknown_is_refused_in_the_envelope(
    product: GatewayProcess, method: str, path: str, status: int, code: str
) -> None:
    headers = {"authorization": f"Bearer {product.key}"}
    answer = httpx2.request(method, f"{product.origin}{path}", headers=headers, trust_env=False)
    assert error_of(answer)[0::2] == (status, code)


def test_upstream_refusing_our_token_is_never_the_users_401(product: GatewayProcess) -> None:
    answer = product.chat({"model": "auto", "messages": [{"role": "user", "content": "hi [[sim: error=10000]]"}]})
    assert error_of(answer)[0::2] == (502, "upstream_not_authorized")
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-gateway-upstream-code"] == "10000"
    row = product.row(answer.headers["x-request-id"])
    assert (row["end_reason"], row["status"], row["cost_nano"]) == ("failed", 502, 0)


NINES = "9" * 30
CURSORS = (
    "0", "-1", "1.5", "1e9", "x", NINES, "9" * 5000, "\u0663", "\u00b2", "\x00", "\r\n", "nan", "inf", "+1", "0x1",
    "null", "page_", "page_-1", "page_0", f"page_{NINES}", "page_\u0663", "page_1795651201", "1_", "_1", f"{NINES}_x",
    "-1_x", "\u00b2_x", "1795651658417_req_x", "audit_log-", "audit_log--5", "audit_log-5-", "audit_log-1-1",
    "audit_log-\u00b2-1", f"audit_log-{NINES}-1", f"audit_log-1-{NINES}",
    "audit_log-18446744073709551615-18446744073709551615-refused",
    "audit_log-9999999999999999-999999999999999999", "1-1", f"{NINES}-0", "counters", "999999999999", "\U0001f600",
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/projects", ("after", "limit")),
        ("/projects/{project}/api_keys", ("after",)),
        ("/projects/{project}/service_accounts", ("after",)),
        ("/projects/{project}/spend_alerts", ("after",)),
        ("/projects/{project}/rate_limits", ("after", "before")),
        ("/admin_api_keys", ("after",)),
        ("/audit_logs", ("after", "before", "effective_at[gte]", "effective_at[lt]")),
        ("/ledger", ("page", "start_time", "end_time")),
        ("/verify", ("page", "start_time")),
        ("/usage/completions?start_time=1795651200", ("page", "end_time", "bucket_width")),
        ("/costs?start_time=1795651200", ("page",)),
        ("/neurons?start_time=1795651200", ("page",)),
        ("/alerts", ("after", "limit")),
    ],
)
def test_cursors_and_bounds_nobody_gave_are_refused_or_lead_nowhere(
    product: GatewayProcess, path: str, names: tuple[str, ...]
) -> None:
    """The dashboard reads these very endpoints."""
    project = product.admin("GET", "/projects")["data"][0]["id"]
    address = f"{product.base_url}/organization{path.format(project=project)}"
    with httpx2.Client(trust_env=False, timeout=30, headers={"authorization": f"Bearer {ADMIN_KEY}"}) as client:
        for name in names:
            for value in CURSORS:
                answer = client.get(httpx2.URL(address).copy_merge_params({name: value}))
                assert answer.status_code in (200, 400), (path, name, value, answer.text)
                assert answer.status_code == 200 or answer.json()["error"]["message"]


def test_refusals_before_the_upstream_leave_no_row(product: GatewayProcess) -> None:
    before = len(product.rows())
    product.chat({"model": "auto", "messages": []})
    product.chat({"model": "gpt-9", "messages": HELLO})
    answer = product.chat({"model": "auto", "messages": HELLO})
    product.row(answer.headers["x-request-id"])
    assert len(product.rows()) == before + 1
