"""`gateway serve` as a user meets it: a process, its output, its exit status. Everything real, in its own directory."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.running import ServedGateway, free_port, is_running

from gateway.store.embedded import EmbeddedStore


@pytest.fixture
def folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="gw-"))
    (place / "config.yaml").write_text(f"server: {{port: {free_port()}}}\nmetrics: {{listen: ''}}\n")
    yield place
    for home in place.glob("**/store"):
        EmbeddedStore(home).stop()
    shutil.rmtree(place)


def ask(gateway: ServedGateway, path: str, key: str, body: object = None) -> Any:  # JSON
    request = urllib.request.Request(
        gateway.base_url + path,
        None if body is None else json.dumps(body).encode(),
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.loads(answer.read())


def chat(gateway: ServedGateway, key: str) -> Any:  # JSON
    body = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}
    return ask(gateway, "/chat/completions", key, body)


def test_demo_says_what_it_is_and_answers_with_the_first_key(folder: Path) -> None:
    with ServedGateway(folder, "--demo") as gateway:
        assert "THIS IS THE SIMULATOR" in gateway.output
        assert f"Data       {folder}/data/demo" in gateway.output
        file = folder / "data" / "demo" / "first-key"
        key = file.read_text().strip()
        assert file.stat().st_mode & 0o777 == 0o600
        assert chat(gateway, key)["choices"][0]["message"]["content"]
        status, errors = gateway.end(signal.SIGINT)
    assert status == 0
    assert "Traceback" not in errors
    assert not (folder / "data" / "demo" / "url").exists()


def test_address_left_behind_is_replaced_whole(folder: Path) -> None:
    (folder / "data" / "demo").mkdir(mode=0o700, parents=True)
    file, second_name = folder / "data" / "demo" / "url", folder / "left"
    file.write_text("http://127.0.0.1:1\n")
    second_name.hardlink_to(file)
    with ServedGateway(folder, "--demo") as gateway:
        assert f"{file.read_text().strip()}/v1" == gateway.base_url
        assert second_name.read_text() == "http://127.0.0.1:1\n"  # not written over
        assert [path.name for path in file.parent.glob("url*")] == ["url"]


def test_service_manager_is_told_when_it_serves(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(30)
        with ServedGateway(folder, "--demo", environ={"NOTIFY_SOCKET": str(folder / "notify")}):
            assert manager.recv(100) == b"READY=1"


def test_serve_never_prints_a_key(folder: Path) -> None:
    with ServedGateway(folder, "--demo") as gateway:
        data = folder / "data" / "demo"
        secrets = [(data / name).read_text().strip() for name in ("first-key", "admin-key")]
        _, errors = gateway.end()
    assert not any(secret in gateway.output + errors for secret in secrets)
    assert "sk-" not in gateway.output + errors


def test_everything_killed_and_started_again_has_the_same_key_and_rows(folder: Path) -> None:
    data = folder / "data" / "demo"
    with ServedGateway(folder, "--demo") as gateway:
        key = (data / "first-key").read_text().strip()
        chat(gateway, key)
        store = EmbeddedStore(data / "store").pid
        children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()
        for pid in {gateway.process.pid, store, *map(int, children)}:
            os.kill(pid, signal.SIGKILL)
        gateway.process.wait()
    with ServedGateway(folder, "--demo") as gateway:
        assert (data / "first-key").read_text().strip() == key
        chat(gateway, key)
        rows = ask(gateway, "/organization/ledger", (data / "admin-key").read_text().strip())["data"]
        assert len(rows) == 2


def test_first_key_that_was_put_away_is_not_made_again(folder: Path) -> None:
    file = folder / "data" / "demo" / "first-key"
    with ServedGateway(folder, "--demo"):
        file.unlink()
    with ServedGateway(folder, "--demo") as gateway:
        assert not file.exists()
        assert "First key" not in gateway.output


def test_first_key_of_an_interrupted_first_start_is_made_by_the_next(folder: Path) -> None:
    data = folder / "data" / "demo"
    with ServedGateway(folder, "--demo"):
        (data / "first-key").write_text("")
    with ServedGateway(folder, "--demo") as gateway:
        assert chat(gateway, (data / "first-key").read_text().strip())
        projects = ask(gateway, "/organization/projects", (data / "admin-key").read_text().strip())["data"]
        assert [project["name"] for project in projects] == ["default"]


def test_adopting_a_new_store_makes_a_new_first_key(folder: Path) -> None:
    data = folder / "data" / "demo"
    with ServedGateway(folder, "--demo") as gateway:
        old = (data / "first-key").read_text()
        gateway.end()
    shutil.rmtree(data / "store")
    bound = (data / "store-instance").read_text()
    with ServedGateway(folder, "--demo", "--adopt") as gateway:
        assert (data / "store-instance").read_text() != bound
        assert (data / "first-key").read_text() != old
        assert chat(gateway, (data / "first-key").read_text().strip())


def test_without_credentials_and_demo_it_says_what_is_missing(folder: Path) -> None:
    with ServedGateway(folder) as gateway:
        status, errors = gateway.failure()
    assert status == 2
    assert "CLOUDFLARE_ACCOUNT_ID" in errors
    assert "CLOUDFLARE_API_TOKEN" in errors
    assert "--demo" in errors
    assert not (folder / "data").exists()


@pytest.mark.parametrize("arguments", [(), ("--quickstart",)])
@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("CLOUDFLARE_ACCOUNT_ID", "API_TOKEN"),
        ("CLOUDFLARE_API_TOKEN", "ACCOUNT_ID"),
        ("CLOUDFLARE_AUTH_TOKEN", "ACCOUNT"),
    ],
)
def test_one_of_two_credentials_is_refused(folder: Path, arguments: tuple[str, ...], name: str, missing: str) -> None:
    with ServedGateway(folder, *arguments, environ={name: "abcdef"}) as gateway:
        status, errors = gateway.failure()
    assert status == 2
    assert missing in errors


def test_credentials_that_fail_do_not_stop_the_start(folder: Path) -> None:
    environ = {"CLOUDFLARE_ACCOUNT_ID": "a" * 32, "CLOUDFLARE_AUTH_TOKEN": "a-secret-token"}
    with (folder / "config.yaml").open("a") as written:
        written.write(f"upstream: {{base_url: 'http://127.0.0.1:{free_port()}/client/v4'}}\n")
    with ServedGateway(folder, environ=environ) as gateway:
        assert "NOT CONFIRMED" in gateway.output
        assert "THIS IS THE SIMULATOR" not in gateway.output
        assert f"Data       {folder}/data\n" in gateway.output
        _, errors = gateway.end()
    assert "a-secret-token" not in gateway.output + errors


def test_proxy_variables_do_not_reach_this_machine(folder: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    proxies = {"HTTP_PROXY": nowhere, "http_proxy": nowhere, "HTTPS_PROXY": nowhere, "ALL_PROXY": nowhere}
    with ServedGateway(folder, "--quickstart", environ=proxies) as gateway:
        assert "export NO_PROXY=" in gateway.output
        assert chat(gateway, (folder / "data" / "demo" / "first-key").read_text().strip())


def test_configuration_with_mistakes_names_their_lines(folder: Path) -> None:
    (folder / "other.yaml").write_text("server:\n  prot: 1\n")
    with ServedGateway(folder, "--demo", "--config", "other.yaml") as gateway:
        status, errors = gateway.failure()
    assert status == 2
    assert "line 2" in errors
    assert "server.prot" in errors


def test_configuration_that_is_not_there_is_named(folder: Path) -> None:
    with ServedGateway(folder, "--demo", environ={"GATEWAY_CONFIG": "/nowhere/config.yaml"}) as gateway:
        status, errors = gateway.failure()
    assert status == 2
    assert "/nowhere/config.yaml" in errors


def test_external_store_without_admin_key_is_refused(folder: Path) -> None:
    (folder / "config.yaml").write_text("store: {url: 'redis://127.0.0.1:1'}\n")
    with ServedGateway(folder, "--demo") as gateway:
        status, errors = gateway.failure()
    assert status == 2
    assert "admin_key" in errors


def test_unwritable_data_directory_names_path_and_user(folder: Path) -> None:
    (folder / "data").write_text("a file is in the way")
    with ServedGateway(folder, "--demo") as gateway:
        status, errors = gateway.failure()
    assert status == 2
    assert str(folder / "data" / "demo") in errors
    assert "user" in errors


def test_chosen_port_that_is_taken_is_refused_with_the_fix(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with ServedGateway(folder, "--quickstart", "--port", str(port)) as gateway:
            status, errors = gateway.failure()
    assert status == 2
    assert f"--port {port + 1}" in errors


def test_quickstart_off_a_terminal_prints_lines_that_read_the_key(folder: Path) -> None:
    with ServedGateway(folder, "--quickstart") as gateway:
        key = (folder / "data" / "demo" / "first-key").read_text().strip()
        assert key not in gateway.output
        curl = next(line for line in gateway.output.splitlines() if line.startswith("curl "))
        answer = subprocess.run(["/bin/sh", "-c", f"{curl} -sS"], capture_output=True, text=True, check=True)
        assert json.loads(answer.stdout)["choices"]


def test_long_path_to_the_data_works(folder: Path) -> None:
    deep = folder / ("a long name with blanks and ü " * 4) / "x"
    deep.mkdir(parents=True)
    shutil.copy(folder / "config.yaml", deep / "config.yaml")
    with ServedGateway(deep, "--demo") as gateway:
        assert chat(gateway, (deep / "data" / "demo" / "first-key").read_text().strip())
        store = EmbeddedStore(deep / "data" / "demo" / "store").pid
        status, _ = gateway.end()
    assert status == 0
    assert not is_running(store)
