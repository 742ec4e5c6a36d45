"""A page in a browser against the real product: asked before, allowed, errors readable; and off by default."""

from pathlib import Path

import httpx2
from support.gateway import GatewayProcess, gateway, simulator

PAGE = "https://chat.example"
ASK = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}
WANTED = "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-os,x-stainless-retry-count"


def _preflight(process: GatewayProcess) -> httpx2.Response:
    return httpx2.options(
        f"{process.base_url}/chat/completions",
        headers={
            "origin": PAGE,
            "access-control-request-method": "POST",
            "access-control-request-headers": WANTED,
        },
        trust_env=False,
    )


def test_page_of_a_named_origin_may_ask_and_read_errors(tmp_path: Path) -> None:
    with simulator() as upstream, gateway(tmp_path, upstream) as process:
        assert "access-control-allow-origin" not in _preflight(process).headers  # off by default
        text = process.config.read_text(encoding="utf-8")
        assert process.stop() == 0
        named = text.replace("server: {port: 0", f"server: {{port: 0, cors_origins: ['{PAGE}']")
        process.config.write_text(named, encoding="utf-8")
        process.start()
        asked = _preflight(process)
        assert (asked.status_code, asked.headers["access-control-allow-headers"]) == (204, WANTED)
        answers = [
            process.chat(ASK, headers={"origin": PAGE}),
            process.chat({**ASK, "stream": True}, headers={"origin": PAGE}),
            process.chat(ASK, key="wrong", headers={"origin": PAGE}),
            process.chat("{", headers={"origin": PAGE}),
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 401, 400]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == PAGE
            assert "x-request-id" in answer.headers["access-control-expose-headers"]
        stranger = process.chat(ASK, headers={"origin": "https://other.example"})
        assert stranger.status_code == 200  # it has the key; only a browser would keep the answer from its page
        assert "access-control-allow-origin" not in stranger.headers
