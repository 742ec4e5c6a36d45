"""`make test`: prepares what the suite needs besides .venv, runs it, and ends with what could not run here and why.

With REQUIRE_ALL=1 anything missing or skipped is a failure. PYTEST_ARGS adds arguments for pytest. Run with the
environment's own Python.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
OPENAI2 = BUILD / "openai2"
NODE = ROOT / "tests" / "e2e" / "node"
REPORT = BUILD / "tests.xml"
COVERAGE = BUILD / "coverage"
MOST_REPEATED = 3  # failed tests that are tried once more
PURE = ("core", "surfaces", "upstreams")  # what decides: every branch of it can be reached by a table
CLOSING = re.compile(r"=* ?.*\b(passed|failed|error|no tests ran).* in [\d.]+s.*")

PROGRAMS = {
    "redis-server": "the store contract on Redis (apt install redis-server)",
    "node": "the Node SDK (apt install nodejs npm)",
    "npm": "the Node SDK (apt install nodejs npm)",
    "nginx": "the proxy snippet and the benchmark's upstream (apt install nginx libnginx-mod-http-lua)",
    "chromium": "the dashboard in a browser (apt install chromium)",
    "prometheus": "alerts and dashboards (apt install prometheus)",
    "promtool": "the alerts' own tests (apt install prometheus)",
    "caddy": "the Caddyfile (apt install caddy)",
    "openssl": "certificates for TLS on the listener (apt install openssl)",
    "systemd-analyze": "the check of the systemd unit (apt install systemd)",
    "faketime": "the store's clock in the fault matrix and across the end of a month (apt install faketime)",
    "make": "the tests of the Makefile (apt install make)",
}


def main() -> int:
    """Prepare, run, sum up; returns the exit status."""
    BUILD.mkdir(exist_ok=True)
    missing = [f"{name} is not installed: {needed}" for name, needed in PROGRAMS.items() if shutil.which(name) is None]
    environ = {**os.environ}
    environ.pop("PYTHONPATH", None)
    missing += prepare_openai2(environ)
    missing += prepare_node()
    status, closing = run_pytest(environ)
    if status == 1:
        status, closing = run_failed_alone(environ, closing)
    is_whole = not os.environ.get("PYTEST_ARGS")
    shortcomings = check_coverage() if is_whole else []
    for line in shortcomings:
        print(line)
    status = status or len(shortcomings)
    skipped, seconds = read_report()
    requires_all = os.environ.get("REQUIRE_ALL") == "1"
    print_seconds(seconds)
    if missing or skipped:
        print("\nCould not run here:")
        for line in missing:
            print(f"  - {line}")
        for reason, number in sorted(skipped.items()):
            print(f"  - {number} × {reason}")
        if requires_all:
            print("REQUIRE_ALL=1: that is a failure.")
            status = status or 1
    else:
        print("\nEverything ran.")
    print(closing, flush=True)
    return status


def prepare_openai2(environ: dict[str, str]) -> list[str]:
    """A separate environment for the newest openai 2.x: one process cannot hold two versions."""
    python = OPENAI2 / "bin" / "python"
    check = [str(python), "-c", "import openai, sys; sys.exit(not openai.__version__.startswith('2.'))"]
    if not (python.exists() and subprocess.run(check, capture_output=True).returncode == 0):
        print("Preparing openai 2.x …", flush=True)
        shutil.rmtree(OPENAI2, ignore_errors=True)
        made = subprocess.run([sys.executable, "-m", "venv", OPENAI2]).returncode == 0
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "openai>=2,<3"]
        if not made or subprocess.run(pip).returncode != 0:
            return ["openai 2.x could not be installed"]
    environ["GATEWAY_OPENAI2_PYTHON"] = str(python)
    return []


def prepare_node() -> list[str]:
    """The Node SDK, beside the tests that use it."""
    npm = shutil.which("npm")
    if npm is None or not (NODE / "package.json").exists():
        return []
    stamp = NODE / "node_modules" / ".package-lock.json"
    if stamp.exists() and stamp.stat().st_mtime >= (NODE / "package.json").stat().st_mtime:
        return []
    print("Preparing the Node SDK …", flush=True)
    done = subprocess.run([npm, "install", "--no-audit", "--no-fund", "--loglevel=error"], cwd=NODE).returncode == 0
    return [] if done else ["the Node SDK could not be installed (npm's lines above say why)"]


def run_pytest(environ: dict[str, str]) -> tuple[int, str]:
    """Run the suite, passing its output on; returns its status and its closing line."""
    REPORT.unlink(missing_ok=True)
    added = shlex.split(os.environ.get("PYTEST_ARGS", ""))
    shutil.rmtree(COVERAGE, ignore_errors=True)
    COVERAGE.mkdir()
    spread = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]  # files in the order of tests/conftest.py
    pytest = ["pytest", *spread, f"--junitxml={REPORT}", "-q", "--cov=gateway", "--cov-report="]
    command = [sys.executable, "-m", *pytest, *added]
    closing = ""
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, errors="replace") as run:
        if run.stdout is None:
            raise AssertionError("stdout was asked for")
        for line in run.stdout:
            print(line, end="", flush=True)
            closing = line.rstrip("\n") if CLOSING.fullmatch(line.rstrip("\n")) else closing
    return run.returncode, closing


def run_failed_alone(environ: dict[str, str], closing: str) -> tuple[int, str]:
    """The few tests that failed, once more, one at a time: two at a time on a busy machine, a deadline inside the
    product may pass. What fails again has failed; what does not is named, so that somebody looks at it.
    """
    failed = re.search(r"(\d+) failed", closing)
    if failed is None or int(failed[1]) > MOST_REPEATED or "error" in closing:
        return 1, closing
    print(f"\n{failed[1]} failed beside others; alone:", flush=True)
    command = [sys.executable, "-m", "pytest", "--last-failed", "--last-failed-no-failures", "none", "-v", "-n", "0"]
    run = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, errors="replace", check=False)
    print(run.stdout, end="", flush=True)
    lines = [line for line in run.stdout.splitlines() if CLOSING.fullmatch(line)]
    return run.returncode, lines[-1] if lines else closing


def check_coverage() -> list[str]:
    """What is covered less than promised: the pure packages and all the rest, branches counted. Needs a whole run."""
    pure = ",".join(f"gateway/{name}/*" for name in PURE)
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "combine", "--quiet", COVERAGE], cwd=ROOT, check=False)
    found: list[str] = []
    for name, choice, least in (("pure packages", f"--include={pure}", 95), ("all others", f"--omit={pure}", 85)):
        report = [*coverage, "report", choice, "--format=total"]
        total = subprocess.run(report, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
        print(f"branch coverage of the {name}: {total} %")
        if not total.isdigit() or int(total) < least:
            found.append(f"branch coverage of the {name} is {total or 'unknown'} %, {least} % are promised")
    return found


def read_report() -> tuple[Counter[str], Counter[str]]:
    """Reasons of skipped tests with their number, and seconds per suite (the directory below tests/)."""
    skipped: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    if not REPORT.exists():
        return skipped, seconds
    for case in ElementTree.parse(REPORT).iter("testcase"):  # noqa: S314 – pytest wrote it a moment ago
        suite = case.get("classname", "").split(".")
        name = suite[1] if len(suite) > 2 else "(top)"
        seconds[name] += float(case.get("time", 0))  # type: ignore[assignment]  # a Counter adds any number
        reason = case.find("skipped")
        if reason is not None:
            skipped[reason.get("message", "no reason given")] += 1
    return skipped, seconds


def print_seconds(seconds: Counter[str]) -> None:
    """The table of seconds per suite, also left in build/seconds.md."""
    rows = [f"| {name} | {spent:.1f} |" for name, spent in seconds.most_common()]
    table = "\n".join(["| suite | seconds |", "|---|---|", *rows, f"| sum | {sum(seconds.values()):.1f} |"])
    (BUILD / "seconds.md").write_text(table + "\n")
    print(f"\n{table}")


if __name__ == "__main__":
    sys.exit(main())
