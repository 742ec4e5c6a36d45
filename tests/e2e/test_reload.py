"""The configuration of the real product changes while it serves."""

import json
import os
import signal
from pathlib import Path

import httpx2
from support.gateway import GatewayProcess, gateway, simulator
from support.running import free_port, wait_until

from gateway.simulator import Simulator

ASK = {"model": "fresh", "messages": [{"role": "user", "content": "Say hello."}]}


def _add(process: GatewayProcess, text: str) -> None:
    _replace(process, process.config.read_text(encoding="utf-8") + text)


def _replace(process: GatewayProcess, text: str) -> None:
    """Another file under the same name, as careful programs write."""
    fresh = process.folder / "fresh.yaml"
    fresh.write_text(text, encoding="utf-8")
    fresh.rename(process.config)


def _ready(process: GatewayProcess) -> tuple[int, dict[str, object]]:
    answer = httpx2.get(f"{process.origin}/readyz", trust_env=False)
    return answer.status_code, answer.json()


def _stream_across_reloads(process: GatewayProcess, upstream: Simulator) -> None:
    """A stream begins, the model it asked for is renamed and the account's token changes, and it ends as it began."""
    body = {**ASK, "model": "old-name", "stream": True}
    marked = [{"role": "user", "content": '[[sim: gate=door gate_after=1 text="one two three four"]] go'}]
    headers = {"authorization": f"Bearer {process.key}"}
    with httpx2.stream(
        "POST",
        f"{process.base_url}/chat/completions",
        json={**body, "messages": marked},
        headers=headers,
        trust_env=False,
        timeout=30,
    ) as answer:
        assert answer.status_code == 200
        text = process.config.read_text(encoding="utf-8").replace("old-name", "new-name")
        process.config.write_text(text.replace(upstream.api_token, "another-token"), encoding="utf-8")
        wait_until(lambda: process.chat({**ASK, "model": "old-name"}).status_code == 404, "the old name is gone")
        assert process.chat({**ASK, "model": "new-name"}).status_code >= 400  # the new token is in use, and wrong
        upstream.open_gate("door")
        told = answer.read().decode()
    assert "four" in told
    assert told.rstrip().endswith("data: [DONE]")


def test_reload_swaps_names_and_credentials_and_leaves_streams_alone(tmp_path: Path) -> None:
    with simulator() as upstream, gateway(tmp_path, upstream, extra="aliases: {old-name: auto}\n") as process:
        assert process.chat(ASK).status_code == 404
        _stream_across_reloads(process, upstream)
        assert "another-token" not in process.log.read_text()


def _metric(listen: str, name: str) -> float:
    text = httpx2.get(f"http://{listen}/metrics", trust_env=False).text
    return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name} "))


def test_reload_of_a_bad_file_serves_on_and_says_so(tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_port()}"
    extra = "aliases: {fresh: auto}\n"
    with (
        simulator() as upstream,
        gateway(tmp_path, upstream, extra=extra, server="workers: 2", metrics=listen) as process,
    ):
        good = process.config.read_text(encoding="utf-8")
        _add(process, "chat: {max_choice: 3, heartbeat_seconds: canary}\n")
        wait_until(lambda: "notices" in _ready(process)[1], "readiness tells of the refusal")
        assert _metric(listen, "gateway_configuration_current") == 0
        assert _metric(listen, 'gateway_configuration_reloads_total{outcome="refused"}') == 1
        status, told = _ready(process)
        assert status == 200  # it serves as well as before
        assert "refused" in json.dumps(told)
        assert "canary" not in json.dumps(told)
        assert "did you mean max_choices" in process.log.read_text()
        assert process.chat(ASK).status_code == 200
        _replace(process, good.replace("workers: 2", "workers: 3"))
        wait_until(lambda: "only a restart can change server.workers" in process.log.read_text(), "it is named")
        assert len(process.workers()) == 2
        _replace(process, good.replace("fresh: auto", "newer: auto"))
        for worker in range(8):  # on connections of their own: both workers have adopted it, or neither
            wait_until(lambda: process.chat({**ASK, "model": "newer"}).status_code == 200, f"request {worker}")
        assert {process.chat(ASK).status_code for _ in range(8)} == {404}
        wait_until(lambda: "notices" not in _ready(process)[1], "readiness has nothing to tell")
        assert _metric(listen, "gateway_configuration_current") == 1


def test_reload_by_swapped_links_and_hangup(tmp_path: Path) -> None:
    with simulator() as upstream:
        process = GatewayProcess(tmp_path, upstream)
        text = process.config.read_text(encoding="utf-8").replace("data_dir: data", f"data_dir: {process.data}")
        for version, more in (("v1", ""), ("v2", "aliases: {fresh: auto}\n")):
            (tmp_path / version).mkdir()
            (tmp_path / version / "config.yaml").write_text(text + more, encoding="utf-8")
        process.config.unlink()
        process.config.symlink_to("current/config.yaml")
        (tmp_path / "current").symlink_to("v1")
        try:
            process.start()
            assert process.chat(ASK).status_code == 404
            (tmp_path / "next").symlink_to("v2")
            (tmp_path / "next").rename(tmp_path / "current")
            wait_until(lambda: process.chat(ASK).status_code == 200, "the alias is known")
            assert process.process is not None
            os.kill(process.process.pid, signal.SIGHUP)
            wait_until(lambda: "nothing has changed" in process.log.read_text(), "SIGHUP reads again")
        finally:
            assert process.stop() == 0
