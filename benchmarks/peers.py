"""Other gateways to Workers AI, measured the same way; each installed by its user, none by this program.

A peer is measured with what it needs to relay and nothing more: no keys, no database, no budgets. The gateway is
measured with all of that on.
"""

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.processes import free_port, running, wait_for_port
from benchmarks.subject import Target, wait_until_ready
from benchmarks.upstream import ACCOUNT, Upstream

_MODEL = "@cf/meta/llama-3.1-8b-instruct-fp8"


@contextlib.contextmanager
def litellm(folder: Path, upstream: Upstream) -> Iterator[Target]:
    """LiteLLM's proxy, `pip install 'litellm[proxy]'` in an environment whose `litellm` is named by $LITELLM."""
    program = _program("LITELLM", "litellm")
    folder.mkdir()
    port = free_port()
    parameters = {
        "model": f"cloudflare/{_MODEL}",
        "api_base": f"{upstream.base_url}/accounts/{ACCOUNT}/ai/v1",
        "api_key": "benchmark",
    }
    key = f"sk-{secrets.token_hex(32)}"  # it refuses to start without one; there is still no key database
    configuration = {
        "model_list": [{"model_name": "llama", "litellm_params": parameters}],
        "litellm_settings": {"telemetry": False, "callbacks": [], "num_retries": 0},
        "general_settings": {"master_key": key, "disable_spend_logs": True},
    }
    file = folder / "config.yaml"
    file.write_text(json.dumps(configuration))
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "LITELLM_LOG": "ERROR"}
    environ |= {"HF_HUB_OFFLINE": "1"}  # else its token counter asks huggingface.co during each request
    log = folder / "output.log"
    started = time.monotonic()
    command = [program, "--config", str(file), "--port", str(port), "--host", "127.0.0.1", "--num_workers", "1"]
    with running(command, log=log, environ=environ) as pid:
        wait_until_ready(f"http://127.0.0.1:{port}/health/liveliness", pid, log)
        yield Target("litellm", pid, port, key, "llama", cold_start=time.monotonic() - started)


@contextlib.contextmanager
def nginx(folder: Path, upstream: Upstream) -> Iterator[Target]:
    """Nginx relaying without translation or accounting: the floor of what any relay can cost."""
    folder.mkdir()
    port = free_port()
    location = f"location / {{ proxy_pass http://up/client/v4/accounts/{ACCOUNT}/ai/run/{_MODEL}; }}"
    text = (
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;\n"
        "events { worker_connections 8192; }\nhttp { access_log off; client_body_buffer_size 1m;\n"
        f"client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;\n"
        f"uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 100000000;\n"
        f"upstream up {{ server 127.0.0.1:{upstream.port}; keepalive 512; }}\n"
        f"server {{ listen 127.0.0.1:{port} backlog=4096; proxy_http_version 1.1; proxy_buffering off;\n"
        f'proxy_set_header Connection ""; {location} }} }}\n'
    )
    (folder / "nginx.conf").write_text(text)
    log = folder / "output.log"
    with running(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], log=log) as pid:
        wait_for_port(port, pid, log)
        yield Target("nginx", pid, port, "none", _MODEL, proof='"response"')


def _program(variable: str, name: str) -> str:
    found = os.environ.get(variable) or shutil.which(name)
    if not found:
        raise FileNotFoundError(f"{name} is not installed: put it on PATH or name it in ${variable}")
    return found


PEERS: dict[str, Callable[[Path, Upstream], AbstractContextManager[Target]]] = {"litellm": litellm, "nginx": nginx}
