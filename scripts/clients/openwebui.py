"""Open WebUI against a gateway, without its browser: the models it lists, an answer, a stream, its check of the URL."""

import json
import os
import secrets
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from http.client import HTTPResponse
from pathlib import Path

START_SECONDS = 240
URL, KEY = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
ASKED = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

with socket.create_server(("127.0.0.1", 0)) as found:
    PORT = found.getsockname()[1]


def call(path: str, body: object = None, token: str = "") -> HTTPResponse:
    """One request to Open WebUI."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    asked = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", data, headers)
    return OPENER.open(asked, timeout=60)


def is_up() -> bool:
    """Whether it answers."""
    try:
        return call("/health").status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


def use() -> None:
    """What a user's browser asks of it."""
    token = json.load(call("/api/v1/auths/signin", {"email": "", "password": ""}))["token"]
    models = [model["id"] for model in json.load(call("/api/models", token=token))["data"]]
    assert "auto" in models, models
    assert json.load(call("/openai/verify", {"url": URL, "key": KEY}, token))["data"]
    answer = json.load(call("/api/chat/completions", {**ASKED, "stream": False}, token))
    assert answer["choices"][0]["message"]["content"], answer
    events = [
        line[6:] for line in call("/api/chat/completions", {**ASKED, "stream": True}, token) if line[:6] == b"data: "
    ]
    assert events[-1].strip() == b"[DONE]", events
    chunks = [json.loads(event) for event in events[:-1]]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"]), events
    print(f"{len(models)} models, answer, stream, check of the connection")


own = {
    "OPENAI_API_BASE_URL": URL,
    "OPENAI_API_KEY": KEY,
    "WEBUI_AUTH": "False",
    "ENABLE_OLLAMA_API": "False",
    "OFFLINE_MODE": "True",
    "HF_HUB_OFFLINE": "1",
    "RAG_EMBEDDING_ENGINE": "openai",  # else it would load a model of its own
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "True",
    "WEBUI_SECRET_KEY": secrets.token_hex(),
}
with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
    command = ["open-webui", "serve", "--host", "127.0.0.1", "--port", str(PORT)]
    environ = {**os.environ, **own, "DATA_DIR": folder}
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not is_up():
                assert process.poll() is None, Path(log.name).read_text()
                assert time.monotonic() < deadline, "it did not start in time"
                time.sleep(0.5)
            use()
        finally:
            process.terminate()
