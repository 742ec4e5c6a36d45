"""Restarts under load: real clients and streams through the official SDK, without its retries, and nobody notices."""

import threading
from pathlib import Path

import httpx2
import openai
from support.command_line import run_gateway
from support.gateway import GatewayProcess, gateway
from support.running import free_port, is_running, wait_until

from gateway.simulator import Simulator

RESTARTS = 2
STREAM = "Count to 30 [[sim: pace=0.05]]"


class Users:
    """Threads with a client each, asking until told to stop; `ids` are the requests that were answered whole."""

    def __init__(self, product: GatewayProcess) -> None:
        self._product = product
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._use, args=(kind,)) for kind in ("kept", "fresh", "stream")]
        self.ids: list[str] = []
        self.failures: list[str] = []

    def __enter__(self) -> "Users":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _use(self, kind: str) -> None:
        client = self._client()
        while not self._is_over.is_set():
            if kind == "fresh":
                client.close()
                client = self._client()
            try:
                self.ids.append(self._stream(client) if kind == "stream" else self._ask(client))
            except Exception as error:  # whatever a user would see
                self.failures.append(f"{kind}: {error!r}")
        client.close()

    def _client(self) -> openai.OpenAI:
        http = httpx2.Client(trust_env=False)
        return openai.OpenAI(
            base_url=self._product.base_url, api_key=self._product.key, max_retries=0, http_client=http
        )

    @staticmethod
    def _ask(client: openai.OpenAI) -> str:
        answer = client.chat.completions.with_raw_response.create(
            model="auto", messages=[{"role": "user", "content": "Hello"}]
        )
        assert answer.parse().choices[0].message.content
        return answer.headers["x-request-id"]

    @staticmethod
    def _stream(client: openai.OpenAI) -> str:
        with client.chat.completions.with_streaming_response.create(
            model="auto", messages=[{"role": "user", "content": STREAM}], stream=True
        ) as answer:
            lines = [line for line in answer.iter_lines() if line]
        assert lines[-1] == "data: [DONE]"
        assert '"finish_reason":"stop"' in "".join(lines)
        return answer.headers["x-request-id"]


def test_restarts_under_load_lose_no_request_no_stream_and_no_row(tmp_path: Path, upstream: Simulator) -> None:
    with gateway(tmp_path, upstream, server="workers: 2") as product:
        assert product.process is not None
        with Users(product) as users:
            for number in range(1, RESTARTS + 1):
                before = product.workers()
                goal = len(users.ids) + 20
                wait_until(lambda goal=goal: len(users.ids) > goal, "work goes on")  # type: ignore[misc]  # bound now
                told = run_gateway(tmp_path, ("--data-dir", "data", "restart", "--json"), {}, "")
                assert told.returncode == 0, told.stderr + product.log.read_text()
                assert f'"restarts": {number}' in told.stdout
                wait_until(lambda before=before: not any(map(is_running, before)), "the workers before leave")  # type: ignore[misc]  # bound now
        assert users.failures == []
        assert len(users.ids) > 100
        wait_until(lambda: len(product.rows()) >= len(users.ids), "every row is written")
        rows = product.rows()
        assert sorted(row["id"] for row in rows) == sorted(users.ids)
        assert {row["usage_source"] for row in rows} == {"reported"}
        assert not run_gateway(
            tmp_path, ("--data-dir", "data", "verify"), {"GATEWAY_ADMIN_KEY": "sk-admin-only-for-tests"}, ""
        ).returncode
        assert product.stop() == 0


def test_restart_onto_a_store_that_does_not_answer_is_refused_and_nothing_is_interrupted(
    tmp_path: Path, upstream: Simulator, store_url: str
) -> None:
    with gateway(tmp_path, upstream, store_url, extra="alerts: {}") as product:
        workers = product.workers()
        text = product.config.read_text(encoding="utf-8")
        product.config.write_text(text.replace(store_url, f"redis://127.0.0.1:{free_port()}/0"), encoding="utf-8")
        told = run_gateway(tmp_path, ("--data-dir", "data", "restart"), {}, "")
        assert told.returncode == 1
        assert "would not be ready: store:" in told.stderr
        assert product.workers() == workers
        assert product.chat({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}).status_code == 200
