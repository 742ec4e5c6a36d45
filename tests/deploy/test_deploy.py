"""What is checkable of deploy/: files parse, paths exist, systemd and nginx accept theirs, nginx buffers nothing."""

import http.client
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from support.running import ROOT, TinyGateway, free_port, wait_until

from gateway import __version__
from gateway.config.load import load
from gateway.config.settings import ServerSettings, UpstreamSettings
from gateway.store.embedded import EmbeddedStore

DEPLOY = ROOT / "deploy"
STOP_SECONDS = ServerSettings().drain_seconds + 10  # and the workers' own shutdown
MOST_EXPOSURE = 12  # tenths of systemd's scale from 0 (nothing) to 100


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
    assert "org.opencontainers.image.version" in final
    assert __version__ in re.findall(r"^ARG VERSION=(.*)$", final, re.MULTILINE)


def test_dockerfile_installs_nothing_without_a_hash_but_the_gateway_itself() -> None:
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    installs = re.findall(r"pip install (.*?)(?: \\)?\n", text)
    assert len(installs) == 4
    assert [line for line in installs if "--require-hashes" not in line] == ["--no-deps --no-build-isolation ."]


@pytest.mark.parametrize(
    ("lock", "least"), [("requirements.lock", 20), ("requirements-build.lock", 4), ("requirements-vocabulary.lock", 1)]
)
def test_lock_pins_and_hashes_every_line(lock: str, least: int) -> None:
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / lock).read_text())
    blocks = re.split(r"\n(?=[a-z])", text)
    assert len(blocks) >= least
    for block in blocks:
        assert re.match(r"[a-z0-9-]+==\S+", block), block[:60]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block[:60]


def test_lock_holds_what_the_project_asks_for() -> None:
    """Every requirement of the project, its extras and its build is locked at a version it takes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    optional = [each for name in ("embedded", "tokenizer", "fast", "otel") for each in extras[name]]
    locked = dict(re.findall(r"(?m)^([a-z0-9-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text()))
    for line in project["project"]["dependencies"] + optional:
        requirement = Requirement(line)
        assert requirement.specifier.contains(locked[requirement.name.lower()]), line
    builders = dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", (ROOT / "requirements-build.lock").read_text()))
    for line in project["build-system"]["requires"]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(builders[requirement.name]), line


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
    for service in compose["services"].values():
        for volume in service["volumes"]:
            place = volume.partition(":")[0]
            assert place in compose["volumes"] or (DEPLOY / "compose" / place).exists(), volume
        assert "no-new-privileges:true" in service["security_opt"]
    assert gateway["read_only"]
    assert gateway["cap_drop"] == ["ALL"]


def test_compose_leaves_more_time_to_stop_than_the_gateway_takes() -> None:
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    assert int(compose["services"]["gateway"]["stop_grace_period"].removesuffix("s")) >= STOP_SECONDS
    unit = (DEPLOY / "systemd" / "workers-ai-gateway.service").read_text()
    assert int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]) >= STOP_SECONDS


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


def test_systemd_finds_little_to_harden(folder: Path) -> None:
    analyze = program("systemd-analyze")
    copy = folder / "workers-ai-gateway.service"
    copy.write_text((DEPLOY / "systemd" / "workers-ai-gateway.service").read_text())
    told = subprocess.run(
        [analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", copy], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stdout


def test_envoy_neither_buffers_nor_cuts_a_stream() -> None:
    text = (DEPLOY / "proxies" / "envoy.yaml").read_text()
    (listener,) = yaml.safe_load(text)["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    assert [each["name"] for each in manager["http_filters"]] == ["envoy.filters.http.router"]
    (route,) = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert route["route"]["timeout"] == "0s"
    assert "retry_policy" not in route["route"]
    assert int(manager["stream_idle_timeout"].removesuffix("s")) >= UpstreamSettings().total_seconds
    assert int(manager["request_timeout"].removesuffix("s")) >= ServerSettings().request_seconds


def test_caddy_passes_a_stream_on_event_by_event(folder: Path) -> None:
    caddy = program("caddy")
    port = free_port()
    with TinyGateway(folder / "data") as gateway:
        snippet = (DEPLOY / "proxies" / "Caddyfile").read_text()
        snippet = snippet.replace("gateway.example.com {", f"http://127.0.0.1:{port} {{")
        snippet = snippet.replace("127.0.0.1:8080", f"127.0.0.1:{gateway.port}")
        configuration = folder / "Caddyfile"
        configuration.write_text("{\n\tadmin off\n}\n" + snippet)
        environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
        command = [caddy, "run", "--adapter", "caddyfile", "--config", str(configuration)]
        with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as proxy:
            try:
                _assert_unbuffered(port, gateway)
            finally:
                proxy.terminate()


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
                _assert_unbuffered(port, gateway)
            finally:
                proxy.terminate()


def _assert_unbuffered(port: int, gateway: TinyGateway) -> None:
    wait_until(lambda: _serves(port), "the proxy serves")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/stream")
    response = connection.getresponse()
    assert response.readline() == b"first\n"  # while the gateway still holds the rest back
    (gateway.data_dir / "release").touch()
    assert response.read() == b"last\n"
    connection.close()


def _serves(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/who")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()
