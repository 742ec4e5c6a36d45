"""The entry: which modules a command loads, and the commands that come with a module of their own."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from support.command_line import ROOT, Command

from gateway.simulator import SimulatorOptions


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_main_serve_loads_neither_tables_nor_http_client() -> None:
    program = "import sys, gateway.cli.start; print([name for name in ('httpx2', 'rich.table') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize("words", [["keys", "list", "--help"], ["version"]])
def test_main_command_loads_no_library_of_the_others(words: list[str]) -> None:
    program = f"""\
import sys
from gateway.cli.main import main
sys.argv = {["gateway", *words]}
assert main() == 0
others = "gateway.cli.backup", "gateway.cli.doctor", "gateway.config.load", "redis"
print([name for name in others if name in sys.modules], file=sys.stderr)
"""
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stderr == "[]\n"


@pytest.mark.parametrize("before", [(), ("--data-dir", "keys"), ("--url", "http://127.0.0.1:9")])
def test_main_command_is_found_behind_root_options_and_a_wrong_one_is_refused(
    bare: Command, before: tuple[str, ...]
) -> None:
    assert "--grace" in bare(*before, "keys", "rotate", "--help").stdout
    refused = bare(*before, "keyz", "list")
    assert refused.returncode == 2
    assert "keys" in refused.stderr  # what may be meant


def test_main_root_help_lists_every_command(bare: Command) -> None:
    text = bare("--help").stdout
    for name in ("serve", "simulate", "check", "models", "projects", "keys", "limits", "usage", "ledger", "version"):
        assert f" {name} " in text


@pytest.mark.parametrize("before", [(), ("--data-dir", "x")])
@pytest.mark.parametrize(("name", "option"), [("serve", "--demo"), ("simulate", "--scenario")])
def test_main_own_module_is_reached_with_its_options(
    bare: Command, before: tuple[str, ...], name: str, option: str
) -> None:
    helped = bare(*before, name, "--help")
    assert helped.returncode == 0, helped.stderr
    assert option in helped.stdout
    assert bare(*before, name, "--no-such-option").returncode == 2


def test_main_serve_without_credentials_exits_2(bare: Command) -> None:
    refused = bare("serve")
    assert refused.returncode == 2
    assert "CLOUDFLARE_ACCOUNT_ID" in refused.stderr
    assert "--demo" in refused.stderr


def test_main_completion_knows_all_commands(bare: Command) -> None:
    asked = {"_GATEWAY_COMPLETE": "complete_bash", "COMP_WORDS": "gateway ", "COMP_CWORD": "1"}
    words = bare(environ=asked).stdout.split()
    assert {"serve", "keys", "usage"} <= set(words)


def test_simulate_answers_on_its_port_until_interrupted(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "gateway", "simulate", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        options = SimulatorOptions()
        url = f"http://127.0.0.1:{port}/client/v4/accounts/{options.account_id}/ai/models/search"
        headers = {"authorization": f"Bearer {options.api_token}"}
        answer = None
        deadline = time.monotonic() + 30
        while answer is None and time.monotonic() < deadline and process.poll() is None:
            try:
                answer = httpx2.get(url, headers=headers, trust_env=False)
            except httpx2.TransportError:
                continue
        assert answer is not None, "the simulator did not start"
        assert answer.status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert f"http://127.0.0.1:{port}/client/v4" in said
    assert "Traceback" not in said


def test_simulate_taken_port_fails_in_words(bare: Command) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        failed = bare("simulate", "--port", str(holder.getsockname()[1]))
    assert failed.returncode != 0
    assert "Traceback" not in failed.stderr
    assert "address already in use" in failed.stderr
