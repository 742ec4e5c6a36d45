"""The manual as data: every fenced block of every page; and its reader, who types commands beside a running gateway."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.command_line import run_gateway_here
from support.gateway import ADMIN_KEY, GatewayProcess
from support.running import clean_environment
from support.sources import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += [page for folder in ("deploy", "benchmarks") for page in sorted((ROOT / folder).rglob("*.md"))]

ASKED = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}

_FENCE = re.compile(r"(?ms)^( *)```([^\n]*)\n(.*?)^ *```")
_BY_SHELL = re.compile(r"[$|<>;&`]")  # what `gateway` itself would not understand


@dataclass(frozen=True)
class Block:
    """One fenced block. `line` is its first fence's; `heading` the one above it."""

    page: str
    line: int
    heading: str
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self) -> list[str]:
        """What is typed: continued lines joined, prompts removed, comments left for the shell."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.removeprefix("$ ") for line in lines if line.strip() and not line.startswith("#")]


def blocks(page: Path) -> list[Block]:
    """All of a page, in order."""
    text, found = page.read_text(encoding="utf-8"), []
    for match in _FENCE.finditer(text):
        above = text[: match.start()]
        headings = re.findall(r"(?m)^#+ +(.*)$", _FENCE.sub("", above))
        place = page.relative_to(ROOT).as_posix(), above.count("\n") + 1, headings[-1] if headings else ""
        found.append(Block(*place, match[2].strip(), match[3]))
    assert text.count("```") == 2 * len(found), f"{page}: a fence is not closed"
    return found


def inline_commands(text: str) -> list[str]:
    """Every `gateway …` in the running text and the tables of a page."""
    return re.findall(r"`(gateway [^`\n]+)`", _FENCE.sub("", text))


@dataclass(frozen=True)
class Typed:
    """How a command ended."""

    status: int
    output: str
    told: str


class Reader:
    """Somebody in a directory like a clone, beside a running gateway, with the environment the manual speaks of."""

    def __init__(self, product: GatewayProcess) -> None:
        self.product = product
        self.folder = product.folder
        self.environ: dict[str, str] = {}
        (self.folder / ".venv").symlink_to(sys.prefix)
        (self.folder / "docs").symlink_to(ROOT / "docs")
        (self.folder / "node_modules").symlink_to(ROOT / "tests" / "e2e" / "node" / "node_modules")
        (self.folder / ".curlrc").write_text("fail-with-body\n")  # else a refusal would look like success

    def open(self, page: Path) -> None:
        """Begin a page: other pages' projects are gone; `search` has a key, unless the page makes it. Ask once."""
        for project in self.product.admin("GET", "/projects")["data"]:
            self.product.admin("POST", f"/projects/{project['id']}/archive")
        _, self.key = self.product.make_key("mine")
        self.product.row(self.product.chat(ASKED, self.key).headers["x-request-id"])
        if "projects create search" not in page.read_text(encoding="utf-8"):
            self.product.make_key("search")
        self.environ = clean_environment(
            PATH=f"{self.folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            HOME=str(self.folder),
            OPENAI_BASE_URL=self.product.base_url,
            OPENAI_API_KEY=self.key,
            GATEWAY_API_KEY=self.key,
            GATEWAY_ADMIN_KEY=ADMIN_KEY,
            GATEWAY_WEBHOOK_SECRET="a-secret-of-the-manual",
        )

    def type(self, command: str) -> Typed:
        """Run one line; `y` is the answer to whatever it asks. Plain commands of ours run in this process: it is the
        same code without the second that starting takes. What it exports holds for the lines after it.
        """
        line = self.resolved(command)
        words = shlex.split(line, comments=True)
        if words[0] == "gateway" and not _BY_SHELL.search(line.partition(" #")[0]):
            done = run_gateway_here(self.folder, tuple(words[1:]), self.environ, "y\n")
            return Typed(done.returncode, done.stdout, done.stderr)
        if words[0] == "export":
            line += "\nenv -0"
        typed = self.run(["sh", "-ec", line], given="y\n")
        if words[0] == "export":
            self.environ |= dict(each.split("=", 1) for each in typed.output.split("\0") if "=" in each)
        return typed

    def run(self, command: list[str], given: str = "") -> Typed:
        """Run a program in the reader's directory and environment."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, input=given, capture_output=True, text=True, timeout=60
        )
        return Typed(done.returncode, done.stdout, done.stderr)

    def resolved(self, text: str) -> str:
        """With this gateway's address, keys and ids where the manual has placeholders."""
        for written, find in self._placeholders().items():
            if re.search(written, text):
                text = re.sub(written, find(), text)
        return text

    def _placeholders(self) -> dict[str, Callable[[], str]]:
        return {
            r"http://127\.0\.0\.1:8080\b": lambda: self.product.origin,
            "sk-admin-…": lambda: ADMIN_KEY,
            "sk-…": lambda: self.key,
            "sk-admin-key_…": lambda: self._first("/admin_api_keys"),
            "proj_…": self._search,
            "key_…": lambda: self._first(f"/projects/{self._search()}/api_keys"),
            "alert_…": lambda: self._first(f"/projects/{self._search()}/spend_alerts"),
            "req_(…|0123456789abcdef0123456789abcdef)": lambda: self._first("/ledger"),
        }

    def _search(self) -> str:
        projects = self.product.admin("GET", "/projects")["data"]
        return next(str(each["id"]) for each in projects if each["name"] == "search")

    def _first(self, path: str) -> str:
        return str(self.product.admin("GET", path)["data"][0]["id"])


def shape(value: Any) -> Any:
    """A JSON value without its scalars: the names of all members, and where they are."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(each) for each in value[:1]] if isinstance(value, list) else None
