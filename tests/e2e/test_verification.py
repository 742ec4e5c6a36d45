"""The books of the whole product agree, and damage is found, after real requests."""

import httpx2
from support.gateway import ADMIN_KEY, GatewayProcess


def test_verify_after_requests_books_agree(product: GatewayProcess) -> None:
    for number in range(4):
        answer = product.chat(
            {"model": "auto", "stream": number % 2 == 0, "messages": [{"role": "user", "content": "Hi"}]}
        )
        assert answer.status_code == 200
        product.row(answer.headers["x-request-id"])
    page: str | None = None
    rows = 0
    while True:
        found = product.admin("GET", "/verify", params={"page": page} if page else {})
        assert (found["findings"], found["drift"]) == ([], 0)
        rows += found["rows"]
        page = found["next_page"]
        if page is None:
            break
    assert rows >= 4
    refused = httpx2.post(f"{product.base_url}/organization/verify", json={"repair": True}, trust_env=False)
    assert (refused.status_code, ADMIN_KEY in refused.text) == (401, False)
