"""`make clients`: popular clients, freshly installed, against a gateway whose upstream is the simulator.

Each is installed into build/clients, runs what docs/clients.md shows for it as it stands, and then its program in
scripts/clients. Names on the command line choose; without any, all are tried. Exit 1 where one fails. Needs the
network, for the packages only; too large for every run of the tests (Open WebUI alone takes 7 GB), so docs/clients.md
says when it last passed.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "clients"
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
START_SECONDS = 60


@dataclass(frozen=True)
class Client:
    """`section` is its heading in docs/clients.md; `program` a file of scripts/clients, or a command line."""

    section: str
    packages: tuple[str, ...]
    program: str
    is_node: bool = False


CLIENTS = {
    "langchain": Client("LangChain", ("langchain-openai",), "langchain.py"),
    "llamaindex": Client("LlamaIndex", ("llama-index-llms-openai-like",), "llamaindex.py"),
    "vercel": Client(
        "Vercel AI SDK", ("ai", "@ai-sdk/openai-compatible", "@ai-sdk/openai"), "vercel.mjs", is_node=True
    ),
    "aider": Client("aider", ("aider-chat",), "aider.sh"),
    "openwebui": Client("Open WebUI", ("open-webui",), "openwebui.py"),
}


def main(chosen: list[str]) -> int:
    """Try them; returns the exit status."""
    failed = []
    with running_gateway() as environ:
        for name in chosen or list(CLIENTS):
            client, folder = CLIENTS[name], PLACE / name
            install(client, folder)
            print(f"{name} ({', '.join(versions(client, folder))})", flush=True)
            for number, snippet in enumerate(snippets(client, environ), 1):
                file = folder / f"page{number}{'.mjs' if client.is_node else '.py'}"
                file.write_text(snippet, encoding="utf-8")
                failed += run(f"  the page's snippet {number}", client, folder, file, environ)
            file = Path(shutil.copy(ROOT / "scripts" / "clients" / client.program, folder))
            failed += run("  its program", client, folder, file, environ)
    return 1 if failed else 0


def install(client: Client, folder: Path) -> None:
    """The newest versions, in an environment of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    if client.is_node:
        (folder / "package.json").write_text('{"type": "module"}')
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", *client.packages]
    else:
        if not (folder / "bin" / "python").exists():
            venv.create(folder, with_pip=True)
        command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--upgrade", *client.packages]
    subprocess.run(command, cwd=folder, check=True)


def versions(client: Client, folder: Path) -> list[str]:
    """What was installed."""
    if client.is_node:
        found = {each: (folder / "node_modules" / each / "package.json").read_text() for each in client.packages}
        return [f"{each} {json.loads(text)['version']}" for each, text in found.items()]
    program = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    command = [folder / "bin" / "python", "-c", program, *client.packages]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [f"{each} {version}" for each, version in zip(client.packages, told, strict=True)]


def snippets(client: Client, environ: dict[str, str]) -> list[str]:
    """The code of its section, with this gateway's URL and key in place of the page's."""
    section = PAGE.partition(f"\n## {client.section}\n")[2].partition("\n## ")[0]
    assert section, f"docs/clients.md has no section {client.section}"
    found = re.findall(r"(?ms)^```(?:python|js)\n(.*?)^```", section)
    return [
        each.replace("http://127.0.0.1:8080/v1", environ["OPENAI_BASE_URL"]).replace("sk-…", environ["OPENAI_API_KEY"])
        for each in found
    ]


def run(what: str, client: Client, folder: Path, file: Path, environ: dict[str, str]) -> list[str]:
    """Run one file; the name of what failed."""
    program = {".py": str(folder / "bin" / "python"), ".mjs": "node", ".sh": "sh"}[file.suffix]
    own = {**environ, "PATH": f"{folder / 'bin'}{os.pathsep}{environ['PATH']}"}
    done = subprocess.run([program, str(file)], cwd=folder, env=own, capture_output=True, text=True, timeout=300)
    last = done.stdout.strip().splitlines()[-1:] or [""]
    print(f"{what}: {'ok' if done.returncode == 0 else 'FAILED'}  {last[0][:100]}", flush=True)
    if done.returncode:
        print(done.stdout[-2000:] + done.stderr[-2000:])
    return [what] if done.returncode else []


@contextmanager
def running_gateway() -> Iterator[dict[str, str]]:
    """A demo gateway; gives the environment in which clients find it."""
    folder = Path(tempfile.mkdtemp(prefix="gw-"))
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    (folder / "config.yaml").write_text(f"server: {{port: {port}}}\nmetrics: {{listen: ''}}\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUDFLARE_", "GATEWAY_"))}
    command = [sys.executable, "-m", "gateway", "serve", "--demo"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            key = folder / "data" / "demo" / "first-key"
            deadline = time.monotonic() + START_SECONDS
            while not (key.exists() and key.read_text().strip()):
                assert process.poll() is None, "the gateway did not start"
                assert time.monotonic() < deadline, "the gateway did not start in time"
                time.sleep(0.05)
            url = f"http://127.0.0.1:{port}/v1"
            own = {"OPENAI_BASE_URL": url, "OPENAI_API_BASE": url, "OPENAI_API_KEY": key.read_text().strip()}
            yield {**environ, **own, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        finally:
            process.send_signal(signal.SIGTERM)
    shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
