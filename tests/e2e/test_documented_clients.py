"""What the manual shows is run as it stands: clients against the real product, commands as far as they are parsed."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from support.gateway import GatewayProcess, gateway, simulator
from support.running import clean_environment
from support.sources import ROOT

from gateway.cli.commands import app

CLIENTS = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
_SHELL = (">", ">>", "<", "|", "&&", "||", ";", "&")  # where a command of ours ends
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```", text)


def _section(title: str) -> str:
    return CLIENTS.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with simulator() as upstream, gateway(tmp_path_factory.mktemp("clients"), upstream) as process:
        yield process


def _run(served: GatewayProcess, command: list[str]) -> str:
    own = {"OPENAI_BASE_URL": served.base_url, "OPENAI_API_KEY": served.key, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        command,
        env=clean_environment(**own),
        cwd=served.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("snippet", _blocks(_section("OpenAI's Python SDK"), "python"))
def test_python_of_the_clients_page_runs_as_it_stands(served: GatewayProcess, snippet: str) -> None:
    assert _run(served, [sys.executable, "-c", snippet]).strip()


@pytest.mark.parametrize("snippet", _blocks(_section("curl"), "sh"))
def test_curl_of_the_clients_page_runs_as_it_stands(served: GatewayProcess, snippet: str) -> None:
    assert '"choices"' in _run(served, ["sh", "-c", snippet])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_of_every_page_compiles(page: Path) -> None:
    for snippet in _blocks(page.read_text(encoding="utf-8"), "python"):
        is_inside_a_coroutine = re.search(r"(?m)^(async |await )", snippet)
        whole = "async def page():\n" + re.sub("(?m)^", "    ", snippet) if is_inside_a_coroutine else snippet
        compile(whole, page.name, "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_every_page_are_understood(page: Path) -> None:
    """Every `gateway …` line of a shell block: the command exists and takes these options."""
    for snippet in _blocks(page.read_text(encoding="utf-8"), "(?:sh|console)"):
        for line in snippet.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ ").replace("…", "x"), comments=True) if "gateway " in line else []
            end = next((at for at, word in enumerate(words) if word in _SHELL), len(words))
            if end > 1 and words[0].rpartition("/")[2] == "gateway":
                _understand(words[1:end])


def _understand(words: list[str]) -> None:
    """Parse without running. Raises what a user would be told."""
    command: Any = typer.main.get_command(app)  # typer's own copy of Click's classes
    context = None
    while children := getattr(command, "commands", None):
        name = next((word for word in words if word in children), None)
        assert name is not None, f"there is no command {words}"
        own, words = words[: words.index(name)], words[words.index(name) + 1 :]
        context = command.make_context(name, [*own, name], parent=context)
        command = children[name]
    command.make_context(command.name, list(words), parent=context)
