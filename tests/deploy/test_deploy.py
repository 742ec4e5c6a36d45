"""What is checkable of deploy/: files parse, paths exist, systemd and nginx accept theirs, nginx buffers nothing."""

import http.client
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.running import ROOT, TinyGateway, free_port, wait_until

from gateway.config.load import load
from gateway.store.embedded import EmbeddedStore

DEPLOY = ROOT / "deploy"


@pytest.fixture
def folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="gw-"))
    yield place
    EmbeddedStore(place / "data" / "store").stop()
    shutil.rmtree(place)


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_dockerfile_copies_only_what_is_there_and_not_ignored() -> None:
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    ignore = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    copied = [
        source for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for source in line.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source.removeprefix("./") in allowed, source


def test_dockerfile_ends_as_an_unprivileged_user_with_a_healthcheck() -> None:
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    final = text.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*", final, re.MULTILINE)
    assert "HEALTHCHECK" in final
    assert "--require-hashes" in text


def test_lock_pins_and_hashes_every_line() -> None:
    blocks = re.split(r"\n(?=[a-z])", (ROOT / "requirements.lock").read_text().partition("lock\n")[2])
    assert len(blocks) > 20
    for block in blocks:
        assert re.match(r"[a-z0-9-]+==\S+", block), block[:60]
        assert "--hash=sha256:" in block, block[:60]


def test_image_configuration_is_valid_with_and_without_a_store() -> None:
    text = (DEPLOY / "docker" / "config.yaml").read_text()
    alone = load(text, {}, Path("/etc/gateway"), demo=True)
    assert alone.store.url == "embedded"
    assert alone.server.host == "0.0.0.0"
    environ = {
        "GATEWAY_STORE_URL": "redis://valkey:6379/0",
        "GATEWAY_ADMIN_KEY": "a-long-secret",
        "GATEWAY_WORKERS": "4",
    }
    shared = load(text, environ, Path("/etc/gateway"), demo=False)
    assert shared.store.url == "redis://valkey:6379/0"
    assert shared.server.workers == 4


def test_compose_keeps_the_ledger_and_names_existing_files() -> None:
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    gateway, valkey = compose["services"]["gateway"], compose["services"]["valkey"]
    context = (DEPLOY / "compose" / gateway["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / gateway["build"]["dockerfile"]).is_file()
    command = valkey["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    for service in (gateway, valkey):
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in compose["volumes"]


def test_compose_store_command_is_accepted_by_a_real_server(folder: Path) -> None:
    server = shutil.which("valkey-server") or shutil.which("redis-server")
    if server is None:
        pytest.skip("no redis-server or valkey-server on the PATH")
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    arguments = compose["services"]["valkey"]["command"][1:]
    place = folder / "s"
    command = [server, *arguments, "--port", "0", "--unixsocket", str(place), "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as started:
        wait_until(lambda: place.exists() or started.poll() is not None, "the server listens")
        assert started.poll() is None
        started.terminate()


def test_systemd_accepts_the_unit(folder: Path) -> None:
    analyze = program("systemd-analyze")
    unit = (DEPLOY / "systemd" / "workers-ai-gateway.service").read_text()
    copy = folder / "workers-ai-gateway.service"
    copy.write_text(unit.replace("/opt/gateway/bin/gateway", sys.executable))
    checked = subprocess.run([analyze, "verify", copy], capture_output=True, text=True)
    complaints = [line for line in checked.stderr.splitlines() if "workers-ai-gateway" in line]
    assert checked.returncode == 0, checked.stderr
    assert not complaints


def test_caddyfile_flushes_at_once_and_is_balanced() -> None:
    text = re.sub(r"#.*", "", (DEPLOY / "proxies" / "Caddyfile").read_text())
    assert text.count("{") == text.count("}")
    assert "flush_interval -1" in text


def test_nginx_passes_a_stream_on_event_by_event(folder: Path) -> None:
    nginx = program("nginx")
    port = free_port()
    with TinyGateway(folder / "data") as gateway:
        snippet = (DEPLOY / "proxies" / "nginx.conf").read_text()
        snippet = snippet.replace("127.0.0.1:8080", f"127.0.0.1:{gateway.port}").replace(
            "listen 8443", f"listen {port}"
        )
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        configuration = folder / "nginx.conf"
        configuration.write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
            f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{snippet}\n}}\n"
        )
        subprocess.run([nginx, "-t", "-q", "-c", configuration, "-e", folder / "error.log"], check=True)
        with subprocess.Popen([nginx, "-c", configuration, "-e", folder / "error.log"]) as proxy:
            try:
                wait_until(lambda: _serves(port), "nginx serves")
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", "/stream")
                response = connection.getresponse()
                assert response.readline() == b"first\n"  # while the gateway still holds the rest back
                (gateway.data_dir / "release").touch()
                assert response.read() == b"last\n"
                connection.close()
            finally:
                proxy.terminate()


def _serves(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/who")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()
