"""The manual does what it says: every block of every page is run beside the real product, or held against it.

Blocks are taken in the order of the page. Commands are typed one by one, code runs as it stands, configurations are
checked, answers that are shown have the members of real ones, Prometheus' tool accepts the queries. What cannot run
in a test stands in `NOT_HERE`, each with its reason; a block of a kind that nobody knows is a failure.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from e2e.test_sdks import node_binary
from support.gateway import gateway
from support.manual import ASKED, PAGES, Block, Reader, blocks, inline_commands, shape
from support.needs import need
from support.prometheus import promtool
from support.receiver import Receiver, receiver
from support.running import wait_until
from support.sources import ROOT

from gateway.cli.commands import make_tree
from gateway.cli.examples import EXAMPLES
from gateway.cli.simulate import app as simulate_app
from gateway.cli.start import app as serve_app
from gateway.simulator import Simulator
from gateway.simulator.scenario import parse_scenario

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

_MAKE_RUN = "takes this machine's port 8080 until Ctrl-C; tests/run/test_make_run.py runs it on a terminal"
_NETWORK = "installs from the network; tests/run and tests/deploy are about the installation"
NOT_HERE = {
    "git clone <this repository> && cd workers-ai-gateway": "its place is not known to itself",
    "make run": _MAKE_RUN,
    "export CLOUDFLARE_ACCOUNT_ID=… CLOUDFLARE_API_TOKEN=…": "needs an account",
    "python3 -m venv .venv": _NETWORK,
    ".venv/bin/pip install '.[embedded,tokenizer,fast]'": _NETWORK,
    ".venv/bin/gateway serve --demo": "takes this machine's port 8080; tests/cli/test_serve.py starts it on another",
    "python3 -m venv .venv && .venv/bin/pip install '.[embedded,tokenizer,fast]' && .venv/bin/gateway serve --demo": (
        _NETWORK
    ),
}
_OTHER_PLACE = "names a place of another machine"
NOT_HERE |= {
    "gateway serve --demo": _MAKE_RUN,
    "gateway serve --config config.yaml --port 8081": _MAKE_RUN,
    "gateway simulate --port 8790 --record calls.jsonl": "runs until Ctrl-C; tests/simulator",
    "gateway --data-dir /var/lib/workers-ai-gateway restart --wait 300": _OTHER_PLACE,
    "gateway spool replay /mnt/old/spool/6111558c --into data": _OTHER_PLACE,
}
TRIED_APART = ("LangChain", "LlamaIndex")  # by `make clients`, freshly installed: large packages
MAKING = [
    "projects create", "service-accounts create", "keys create", "limits set", "alerts create", "admin-keys create",
]  # fmt: skip
ENDING = [
    "keys disable", "keys enable", "keys revoke", "service-accounts rename", "service-accounts delete",
    "alerts delete", "limits remove", "admin-keys revoke", "projects archive",
]  # fmt: skip
REFUSED = {  # the exit status that the page announces
    "gateway restore FILE": 1,  # the store is in use
    "gateway export --format focus --output bill.csv --resume": 2,  # nothing was interrupted
    "gateway restore 2026-11-25.backup": 1,  # likewise
    "gateway export --since 2026-11-01 --until 2026-11-30 --format focus --output november.focus.csv --resume": 2,
}


@dataclass(frozen=True)
class Desk:
    """The reader, and who gets the gateway's alerts."""

    reader: Reader
    hook: Receiver

    def delivery(self) -> tuple[dict[str, str], bytes]:
        """Headers and body of an alert about a budget."""
        product = self.reader.product
        if not self.hook.received:
            project, key = product.make_key("spender")
            limits = [{"kind": "requests", "window": "day", "limit": 2}]
            product.admin("POST", f"/projects/{project}/limits", json={"limits": limits})
            assert product.chat(ASKED, key).status_code == 200
            wait_until(lambda: bool(self.hook.received), "half of the budget is told")
        _, headers, body = self.hook.received[0]
        return headers, body


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, upstream: Simulator) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("manual")
    (folder / "teams.yaml").write_text((ROOT / "docs" / "teams.example.yaml").read_text())
    (folder / "other.yaml").write_text(next(each.text for each in ALL if "prices:" in each.text))
    with receiver() as hook:
        extra = f"alerts: {{webhook_url: '{hook.url}', webhook_secret: '{SECRET}'}}\nlog: {{format: json}}"
        with gateway(folder, upstream, extra=extra) as product:
            yield Desk(Reader(product), hook)


def run_shell(block: Block, desk: Desk) -> None:
    for command in block.commands():
        if command not in NOT_HERE:
            type_one(command, block.place, desk)


def type_one(command: str, place: str, desk: Desk) -> None:
    done = desk.reader.type(command)
    status = REFUSED.get(command.partition(" #")[0].strip(), 0)
    assert done.status == status, f"{place}: {command}\n{done.output}{done.told}"


def run_python(block: Block, desk: Desk) -> None:
    """With what stands above it on the page; on the page about alerts, with what came in."""
    if block.heading in TRIED_APART:
        compile(block.text, block.place, "exec")
        return
    above = [each.text for each in ALL if each.page == block.page and each.language == "python"]
    code = "\n".join([*above[: above.index(block.text)], block.text]) if "import" not in block.text else block.text
    if "headers" in code:
        headers, body = desk.delivery()
        code = f"headers, body, secret = {headers!r}, {body!r}, {SECRET!r}\n{code}"
    if "def is_genuine" in code:
        code += "\nassert is_genuine(secret, headers, body) and not is_genuine('other', headers, body)"
    done = desk.reader.run([sys.executable, "-c", desk.reader.resolved(code)])
    assert done.status == 0, f"{block.place}\n{done.told}"


def run_js(block: Block, desk: Desk) -> None:
    node = need(node_binary(), "Node")
    file = desk.reader.folder / "page.mjs"
    file.write_text(desk.reader.resolved(block.text))
    need((file.parent / "node_modules" / "ai").is_dir(), "the packages for Node (npm install in tests/e2e/node)")
    done = desk.reader.run([node, str(file)])
    assert (done.status, bool(done.output.strip())) == (0, True), f"{block.place}\n{done.told}"


def check_yaml(block: Block, desk: Desk) -> None:
    if block.page == "docs/simulator.md":
        parse_scenario(block.text)
        return
    (desk.reader.folder / "page.yaml").write_text(block.text)
    done = desk.reader.type("gateway check page.yaml")
    assert done.status == 0, f"{block.place}\n{done.output}{done.told}"


def check_promql(block: Block, desk: Desk) -> None:
    queries = [line.partition(" # ")[0].strip() for line in block.text.splitlines()]
    rules = [{"record": f"page:rule{number}", "expr": query} for number, query in enumerate(queries)]
    (desk.reader.folder / "page.rules").write_text(yaml.safe_dump({"groups": [{"name": "page", "rules": rules}]}))
    done = promtool("check", "rules", desk.reader.folder / "page.rules")
    assert done.returncode == 0, f"{block.place}\n{done.stdout}{done.stderr}"


def check_json(block: Block, desk: Desk) -> None:
    assert shape(json.loads(block.text)) == shape(SHOWN[block.page](desk)), block.place


def access_line(desk: Desk) -> Any:
    """What the log says of a streamed request."""
    request_id = desk.reader.product.chat({**ASKED, "stream": True}, desk.reader.key).headers["x-request-id"]

    def found() -> list[str]:
        lines = desk.reader.product.log.read_text().splitlines()
        return [line for line in lines if '"gateway.access"' in line and request_id in line]

    wait_until(lambda: bool(found()), "the request is in the log")
    return json.loads(found()[0])


SHOWN: dict[str, Callable[[Desk], Any]] = {
    "docs/alerts.md": lambda desk: json.loads(desk.delivery()[1]),
    "docs/operations.md": access_line,
    "docs/verification.md": lambda desk: desk.reader.product.admin("GET", "/verify"),
}


def check_text(block: Block, desk: Desk) -> None:
    DRAWN[block.page](block, desk)


def check_command_list(block: Block, _: Desk) -> None:
    listed = [re.split(r"  +| [A-Z]", line)[0].removeprefix("gateway ") for line in block.text.splitlines()]
    assert sorted(listed) == sorted(commands())


def check_difference(block: Block, desk: Desk) -> None:
    desk.reader.open(ROOT / block.page)
    file = desk.reader.folder / "page.yaml"
    file.write_text("projects: {search: {limits: {usd/month: 20}}}")
    assert desk.reader.type("gateway apply page.yaml").status == 0
    key = "keys: {indexer: {limits: {tokens/day: 2000000}}}"
    file.write_text(f"projects: {{search: {{limits: {{usd/month: 25}}, tags: {{team: search}}, {key}}}}}")
    assert desk.reader.type("gateway apply page.yaml --dry-run").output == block.text


def check_architecture(block: Block, _: Desk) -> None:
    names = re.findall(r"(?m)(?:^|─ |   )([a-z]+)(?=  )", block.text)
    assert len(names) > 10
    assert [name for name in names if not list((ROOT / "gateway").glob(f"{name}*"))] == []


def check_states(block: Block, _: Desk) -> None:
    script = (ROOT / "gateway" / "lua" / "settle.lua").read_text()
    assert [state for state in re.findall(r"\b[A-Z]{4,}\b", block.text) if state not in script] == []


def check_processes(block: Block, desk: Desk) -> None:
    assert "worker 0" in block.text
    assert len(desk.reader.product.workers()) == 1
    assert len(desk.reader.product.pids()) > 2


DRAWN: dict[str, Callable[[Block, Desk], None]] = {
    "docs/cli.md": check_command_list,
    "docs/teams.md": check_difference,
    "docs/architecture.md": check_architecture,
    "docs/ledger.md": check_states,
    "docs/running.md": check_processes,
}
KINDS: dict[str, Callable[[Block, Desk], None]] = {
    "sh": run_shell,
    "console": run_shell,
    "python": run_python,
    "js": run_js,
    "yaml": check_yaml,
    "json": check_json,
    "promql": check_promql,
    "text": check_text,
}
ALL = [block for page in PAGES for block in blocks(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_does_what_it_says(page: Path, desk: Desk) -> None:
    own = blocks(page)
    if not own:
        return
    desk.reader.open(page)
    for block in own:
        assert block.language in KINDS, f"{block.place}: nothing runs or checks a block of kind '{block.language}'"
        KINDS[block.language](block, desk)


def test_table_of_the_readme_does_what_it_says(desk: Desk) -> None:
    page = ROOT / "README.md"
    desk.reader.open(page)
    rows = [line for line in page.read_text().splitlines() if line.startswith("| ")]
    typed = [command for row in rows for command in inline_commands(row) if command != "gateway ledger show"]
    assert len(typed) > 10
    for command in typed:
        type_one(command, "README.md", desk)


def test_examples_of_the_help_do_what_they_say(desk: Desk) -> None:
    """What makes something comes first, what ends it last. A restart takes seconds, and is on a page."""
    desk.reader.open(ROOT / "docs" / "cli.md")
    (desk.reader.folder / "request.json").write_text(json.dumps(ASKED))
    for command in [*MAKING, *sorted(EXAMPLES.keys() - {*MAKING, *ENDING, "restart"}), *ENDING]:
        key = "sk-admin-key_…" if command == "admin-keys revoke" else "key_…"
        for example in EXAMPLES[command]:
            if example not in NOT_HERE:
                type_one(example.replace("key_123", key).replace("alert_123", "alert_…"), "gateway -h", desk)


def test_what_does_not_run_here_is_still_on_a_page_and_is_shell() -> None:
    written = {command for block in ALL if block.language in ("sh", "console") for command in block.commands()}
    assert NOT_HERE.keys() <= written | {example for examples in EXAMPLES.values() for example in examples}
    for command in NOT_HERE:
        line = command.replace("<this repository>", "it")
        subprocess.run(["sh", "-n", "-c", line], check=True)
        programs = {Path(part.split()[0]).name for part in line.split(" && ")} - {"export", "cd"}
        assert {name for name in programs if not shutil.which(name) and name not in ("gateway", "pip")} == set()


def test_clients_that_are_tried_apart_are_tried() -> None:
    script = (ROOT / "scripts" / "try_clients.py").read_text(encoding="utf-8")
    assert [title for title in TRIED_APART if f'"{title}"' not in script] == []


def commands() -> dict[str, Any]:  # Typer has a Click of its own, without a public name
    """Every command that is shown, with the words that lead to it."""
    own = {"serve": typer.main.get_command(serve_app), "simulate": typer.main.get_command(simulate_app)}

    def below(command: Any, name: str) -> dict[str, Any]:
        children = getattr(command, "commands", None)
        if children is None:
            return {name: own.get(name, command)}
        return {
            words: found
            for word, child in children.items()
            for words, found in below(child, f"{name} {word}".strip()).items()
        }

    return below(typer.main.get_command(make_tree()), "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_in_the_text_are_understood(page: Path) -> None:
    """They exist, and where arguments are shown, take these."""
    known = commands()
    for line in inline_commands(page.read_text(encoding="utf-8")):
        words = shlex.split(re.sub(r"\[.*?\]", "", line))[1:]
        if words[0].startswith("--") or "COMMAND" in words:
            continue
        name = next((" ".join(words[:count]) for count in (2, 1) if " ".join(words[:count]) in known), None)
        assert name, f"there is no `{line}`"
        rest = words[len(name.split()) :]
        if rest:
            known[name].make_context(name, rest)
