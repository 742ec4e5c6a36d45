"""A demo in a shell with Cloudflare credentials: nothing of it, and no command about it, asks Cloudflare anything."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from support.command_line import run_gateway
from support.running import ServedGateway

CREDENTIALS = {"CLOUDFLARE_ACCOUNT_ID": "a" * 32, "CLOUDFLARE_API_TOKEN": "t" * 40}


@contextmanager
def the_only_way_out(met: list[bytes]) -> Iterator[str]:
    """A proxy that everything on its way to Cloudflare has to ask, and that notes who came."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def note() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    met.append(connection.recv(1000))

        thread = threading.Thread(target=note)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_demo_never_asks_cloudflare(tmp_path: Path) -> None:
    met: list[bytes] = []
    (tmp_path / "config.yaml").write_text("server: {port: 0}\nmetrics: {listen: ''}\n")
    with the_only_way_out(met) as proxy:
        environ = {**CREDENTIALS, "HTTPS_PROXY": proxy, "https_proxy": proxy}
        with ServedGateway(tmp_path, "--demo", environ=environ) as demo:
            key = (tmp_path / "data" / "demo" / "first-key").read_text().strip()
            with httpx2.Client(trust_env=False, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
                asked = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
                answer = client.post(f"{demo.base_url}/chat/completions", json=asked)
                assert answer.headers["x-gateway-upstream"] == "simulator"
                assert client.get(f"{demo.base_url}/models").status_code == 200
                demo.process.send_signal(signal.SIGHUP)
                refused = run_gateway(tmp_path, ("reconcile",), environ, "")
                assert (refused.returncode, "is a demo" in refused.stderr) == (1, True), refused.stderr
                for command in (("usage",), ("models",), ("doctor", "--demo"), ("restart",)):
                    assert run_gateway(tmp_path, command, environ, "").returncode in (0, 1), command
                assert client.post(f"{demo.base_url}/chat/completions", json=asked).status_code == 200
        assert met == []
        trapped = run_gateway(tmp_path, ("doctor", "--json"), environ, "")  # the trap works: this one may ask
        assert met, json.loads(trapped.stdout)
