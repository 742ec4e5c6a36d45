"""What users can see has its line in the documentation: keys, metrics, headers, commands. And links lead somewhere."""

import ast
import re
from pathlib import Path

import click
import pytest
import typer
from support.sources import ROOT, python_sources

from gateway.cli.commands import make_tree
from gateway.client.account import MAX_REPLY_BYTES
from gateway.config.schema import described_keys
from gateway.config.settings import ChatSettings, ServerSettings, UpstreamSettings
from gateway.supervise.protocol import MAX_HEAD_BYTES
from gateway.surfaces.chat.messages import MAX_MESSAGES
from gateway.surfaces.chat.readers import MAX_DEPTH, MAX_STOPS
from gateway.surfaces.chat.tools import MAX_TOOLS

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += [page for folder in ("deploy", "benchmarks") for page in sorted((ROOT / folder).rglob("*.md"))]
WRITTEN = {page: page.read_text(encoding="utf-8") for page in PAGES}
MANUAL = "\n".join(text for page, text in WRITTEN.items() if page.name != "CHANGELOG.md")
OUTSIDE = ("http://", "https://", "mailto:")


def _strings(below: str) -> set[str]:
    """Every text and bytes constant of the sources at or below a path, f-strings in pieces."""
    found: set[str] = set()
    for source in python_sources("gateway"):
        if source.path.as_posix().startswith(below):
            values = [node.value for node in ast.walk(source.tree) if isinstance(node, ast.Constant)]
            found.update(value for value in values if isinstance(value, str))
            found.update(value.decode("latin-1") for value in values if isinstance(value, bytes))
    return found


GATEWAY_STRINGS = _strings("gateway")


def test_every_configuration_key_is_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    missing = [path for path, _ in described_keys() if f"`{path}`" not in page]
    assert not missing, "\n".join(missing)


def test_every_key_of_the_example_section_heads_is_in_the_example() -> None:
    example = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    top = {path.split(".")[0] for path, _ in described_keys()}
    settings = [path for path, _ in described_keys() if path.split(".")[0] not in ("models", "routes", "aliases")]
    words = {path.rpartition(".")[2] for path in settings} | top
    missing = sorted(word for word in words if not re.search(rf"\b{word}(_file)?:", example))
    assert not missing, "\n".join(missing)


def test_every_metric_is_documented() -> None:
    metrics = {text for text in _strings("gateway/metrics") if re.fullmatch(r"gateway_[a-z][a-z0-9_]+", text)}
    assert metrics != set()
    missing = sorted(name for name in metrics if not re.search(rf"\b{name}\b|\b{name}_total\b", MANUAL))
    assert not missing, "\n".join(missing)


def test_every_metric_of_the_manual_exists() -> None:
    named = set(re.findall(r"\bgateway_[a-z_]+", MANUAL))
    known = _strings("gateway/metrics")
    stems = {name: re.sub(r"_(total|bucket)$", "", name) for name in named}
    assert {name for name, stem in stems.items() if stem not in known} == set()


def test_every_header_of_ours_is_documented() -> None:
    headers = {header for text in GATEWAY_STRINGS for header in re.findall(r"\bx-gateway-[a-z-]*[a-z]", text.lower())}
    assert headers != set()
    missing = sorted(header for header in headers if header not in MANUAL.lower())
    assert not missing, "\n".join(missing)


def test_every_environment_variable_of_ours_is_documented() -> None:
    variables = {text for text in GATEWAY_STRINGS if re.fullmatch(r"GATEWAY_[A-Z_]+|CLOUDFLARE_[A-Z_]+", text)}
    missing = sorted(name for name in variables if name not in MANUAL)
    assert not missing, "\n".join(missing)


def test_every_command_is_documented() -> None:
    commands = [*_commands(typer.main.get_command(make_tree()), "gateway"), "gateway serve", "gateway simulate"]
    assert len(commands) > 5
    missing = sorted({command for command in commands if not re.search(rf"{command}\b", MANUAL)})
    assert not missing, "\n".join(missing)


def _commands(command: object, name: str) -> list[str]:
    """Every command that does something, with the words that lead to it. Hidden ones are nobody's business."""
    children: dict[str, click.Command] | None = getattr(command, "commands", None)
    if children is None:
        return [] if getattr(command, "hidden", False) else [name]
    return [found for word, child in children.items() for found in _commands(child, f"{name} {word}")]


def test_limits_of_the_security_page_are_those_of_the_code() -> None:
    page = WRITTEN[ROOT / "docs" / "security.md"]
    rows = dict(re.findall(r"(?m)^\| ([^|]+) \| ([^|]+) \|", page.partition("## Limits")[2]))
    limits = {
        "request line and headers": MAX_HEAD_BYTES,
        "one request, from its first byte to its last": int(ServerSettings().request_seconds),
        "body": ServerSettings().max_body_bytes,
        "depth of JSON": MAX_DEPTH,
        "messages in a request": MAX_MESSAGES,
        "tools, and calls in one turn": MAX_TOOLS,
        "choices (`n`)": ChatSettings().max_choices,
        "stop strings": MAX_STOPS,
        "an answer, all attempts together": int(UpstreamSettings().total_seconds),
        "an upstream answer read whole": MAX_REPLY_BYTES,
        "upstream calls at a time, per worker": UpstreamSettings().max_connections,
    }
    told = {what: [int(number) for number in re.findall(r"\d+", rows[what].replace(",", ""))] for what in limits}
    assert {what: number for what, number in limits.items() if number not in told[what]} == {}


def test_files_and_targets_named_in_the_text_exist() -> None:
    """What `make` is told, and every path below a folder of ours; a folder's trailing slash says that runs make it."""
    named = " ".join(re.findall(r"`([^`\n]+)`", _without_code(MANUAL)))
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    assert set(re.findall(r"\bmake ([a-z]+)", named)) - targets == set()
    paths = set(
        re.findall(r"(?<![\w/.])((?:tests|gateway|deploy|scripts|benchmarks|docs)/[\w./*-]*[\w*])(?!/)\b", named)
    )
    assert len(paths) > 20
    assert sorted(path for path in paths if not list(ROOT.glob(path))) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_something(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^()\s]+)\)", _without_code(WRITTEN[page])):
        path, _, anchor = target.partition("#")
        if target.startswith(OUTSIDE):
            continue
        goal = (page.parent / path).resolve() if path else page
        is_page = anchor and goal.suffix == ".md" and goal.is_file()
        if not goal.exists() or (is_page and anchor not in _anchors(goal.read_text(encoding="utf-8"))):
            broken.append(target)
    assert not broken, "\n".join(broken)


def _without_code(text: str) -> str:
    return re.sub(r"(?s)```.*?```", "", text)


def _anchors(text: str) -> set[str]:
    """The fragments of a page's headings, as code hosts make them."""
    headings = re.findall(r"(?m)^#+ +(.*)$", _without_code(text))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
