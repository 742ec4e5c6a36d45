"""Secrets planted in a running product, then searched for in logs, metrics, traces, errors, files and crashes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
from support.command_line import run_gateway
from support.gateway import ADMIN_KEY, GatewayProcess, simulator
from support.otlp import Collector, collector
from support.running import clean_environment, free_port, wait_until

from gateway.simulator import Simulator, SimulatorOptions

TOKEN = "canary-cloudflare-token"
PROMPT = "canary-prompt-about-nothing"
TRACING_SECRET = "canary-collector-secret"
WEBHOOK_SECRET = "canary-webhook-secret-0123456789"
WEBHOOK_URL = "canary-webhook-token"
WRONG_KEY = "sk-canary-wrong-key-0123456789"


def _provoke(process: GatewayProcess) -> list[str]:
    """Successes and every kind of refusal; the bodies of all errors."""
    said = [{"role": "user", "content": PROMPT}]
    ask = {"model": "auto", "messages": said}
    good = [process.chat(ask), process.chat({**ask, "stream": True})]
    assert [answer.status_code for answer in good] == [200, 200]
    marked = [{"role": "user", "content": f'{PROMPT} [[sim: error=5006 message="{PROMPT}"]]'}]
    bad = [
        process.chat(ask, key=WRONG_KEY),
        process.chat({**ask, "temperature": 99}),
        process.chat({**ask, "model": "no-such-model"}),
        process.chat({**ask, "tools": "none"}),
        process.chat(b'{"model": "auto", "messages": ' + PROMPT.encode()),
        process.chat({"model": "auto", "messages": [{"role": "user", "content": PROMPT * 40_000}]}),
        process.chat({"model": "auto", "messages": [*said, *marked]}),
        httpx2.get(f"{process.base_url}/organization/projects", headers=_bearer(process.key), trust_env=False),
        httpx2.get(f"{process.base_url}/organization/projects", headers=_bearer(WRONG_KEY), trust_env=False),
        httpx2.get(f"{process.base_url}/nowhere?key={WRONG_KEY}", headers=_bearer(WRONG_KEY), trust_env=False),
    ]
    assert all(answer.status_code >= 400 for answer in bad), [answer.status_code for answer in bad]
    return [answer.text + repr(answer.headers) for answer in bad]


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def _crash(process: GatewayProcess) -> None:
    """Workers die of a signal, the file turns bad; the product goes on."""
    assert process.process is not None
    before = set(process.pids())
    for pid in before - {process.process.pid}:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"worker_process" in command:
            os.kill(pid, signal.SIGABRT)
    wait_until(lambda: "replaced" in process.log.read_text(), "the worker is replaced")
    text = process.config.read_text(encoding="utf-8")
    process.config.write_text(
        text.replace(TOKEN, f"'{TOKEN} {TOKEN}'") + "chat: {max_choices: many}\n", encoding="utf-8"
    )
    wait_until(lambda: "REFUSED" in process.log.read_text(), "the bad file is refused")
    process.config.write_text(text, encoding="utf-8")


def _commands(process: GatewayProcess) -> str:
    """What commands say about this configuration, and a second gateway on the same directory."""
    said = ""
    for arguments in (("check", str(process.config)), ("config", "show"), ("doctor",), ("probe", "--model", "nothing")):
        told = run_gateway(process.folder, arguments, {"GATEWAY_CONFIG": str(process.config)}, "")
        said += told.stdout + told.stderr
    second = subprocess.run(
        [sys.executable, "-m", "gateway", "serve", "--config", str(process.config)],
        cwd=process.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 2
    return said + second.stdout + second.stderr


def _found(secrets: dict[str, str], places: dict[str, bytes]) -> list[str]:
    """Which secret is where. An error may repeat to its caller what the upstream says of the caller's own prompt."""
    return [
        f"{name} in {place}"
        for place, held in places.items()
        for name, secret in secrets.items()
        if secret.encode() in held and not (name == "prompt" and place.startswith("error"))
    ]


def _files(process: GatewayProcess) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in process.data.rglob("*") if file.is_file()}


def _run(tmp_path: Path, upstream: Simulator, collector: Collector) -> tuple[dict[str, str], dict[str, bytes]]:
    tracing = f"tracing: {{endpoint: '{collector.url}', authorization: '{TRACING_SECRET}'}}\n"
    alerts = f"alerts: {{webhook_url: 'http://127.0.0.1:9/hook?{WEBHOOK_URL}', webhook_secret: '{WEBHOOK_SECRET}'}}\n"
    process = GatewayProcess(tmp_path, upstream, extra=tracing + alerts)
    port = free_port()
    text = process.config.read_text(encoding="utf-8").replace('listen: ""', f'listen: "127.0.0.1:{port}"')
    process.config.write_text(text, encoding="utf-8")
    try:
        process.start()
        errors = _provoke(process)
        wait_until(lambda: len(collector.spans) >= 4, "traces arrive")
        _crash(process)
        said = _commands(process)
        ready = httpx2.get(f"{process.origin}/readyz", trust_env=False).text
        metrics = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        while_running = _files(process)
    finally:
        process.stop()
    secrets = {"token": TOKEN, "admin key": ADMIN_KEY, "key": process.key, "wrong key": WRONG_KEY, "prompt": PROMPT}
    secrets |= {"collector": TRACING_SECRET, "webhook": WEBHOOK_SECRET, "webhook's URL": WEBHOOK_URL}
    places = {
        "log": process.log.read_bytes(),
        "metrics": metrics.encode(),
        "readiness": ready.encode(),
        "commands": said.encode(),
        "traces": b"".join(span.SerializeToString() for span in collector.spans),
        **{f"error {number}": error.encode() for number, error in enumerate(errors)},
        **while_running,
        **_files(process),
    }
    return secrets, places


def test_planted_secrets_leave_the_product_nowhere(tmp_path: Path) -> None:
    with simulator(SimulatorOptions(api_token=TOKEN)) as upstream, collector() as collected:
        secrets, places = _run(tmp_path, upstream, collected)
    assert b"chat" in places["traces"]
    assert "gateway_requests_total" in places["metrics"].decode()
    assert any(name.endswith(".aof") for name in places), "the store's own files were searched"
    assert _found(secrets, places) == []
