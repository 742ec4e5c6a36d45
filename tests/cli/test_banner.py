"""The banner as text: what it says, and what it must not."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.banner import Started, describe, quickstart
from gateway.config.load import load
from gateway.supervise.account import AccountReport

NOW = 1_795_000_000.0  # November 2026
FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
URL = "http://127.0.0.1:8080/v1"
CREDENTIALS = {"CLOUDFLARE_ACCOUNT_ID": "0123456789abcdef", "CLOUDFLARE_API_TOKEN": "very-secret-token"}


def told(started: Started) -> str:
    return "\n".join(describe(started, NOW))


@pytest.fixture
def live() -> Started:
    return Started(load("", CREDENTIALS, Path("/srv"), demo=False), URL, None)


@pytest.fixture
def demo() -> Started:
    return Started(load("", {}, Path("/srv"), demo=True), URL, Path("/srv/data/demo/first-key"))


def test_describe_of_the_demo_says_in_plain_words_what_it_is(demo: Started) -> None:
    text = told(demo)
    assert "THIS IS THE SIMULATOR. No model runs" in text
    assert "/srv/data/demo" in text
    assert "simulated" in text


def test_describe_says_where_the_dashboard_is(live: Started) -> None:
    assert "Dashboard  http://127.0.0.1:8080/dashboard\n" in told(live)


def test_describe_with_credentials_shows_no_secret(live: Started) -> None:
    text = told(replace(live, report=AccountReport(True, "the credentials work", {FP8: ""})))
    assert "…cdef: the credentials work" in text
    assert "very-secret-token" not in text
    assert "0123456789ab" not in text
    assert "SIMULATOR" not in text


def test_describe_names_each_models_status(live: Started) -> None:
    lines = describe(replace(live, report=AccountReport(True, "ok", {FP8: "2027-01-31"})), NOW)
    status = {line.split()[0]: line for line in lines if line.startswith("    @")}
    assert "in Cloudflare's catalogue, announced end 2027-01-31" in status[FP8]
    assert "NOT in Cloudflare's catalogue" in status["@cf/meta/llama-3.1-8b-instruct-fast"]
    assert "2026-05-30 has passed: in no route" in status["@cf/meta/llama-3.1-8b-instruct"]


def test_describe_says_that_an_ended_model_of_a_route_comes_last(live: Started) -> None:
    given = load("routes: {auto: {models: ['@cf/meta/llama-3.1-8b-instruct']}}", {}, Path("/srv"), demo=True)
    assert "has passed: tried after all others" in told(replace(live, settings=given))


def test_describe_says_where_metrics_and_the_admin_key_are(live: Started) -> None:
    text = told(live)
    assert "Metrics    http://127.0.0.1:9464/metrics" in text
    assert "Admin key" not in text
    without = told(replace(live, metrics_trouble="127.0.0.1:9464 is taken", admin_key_file=Path("/srv/data/admin-key")))
    assert "Metrics    off (127.0.0.1:9464 is taken)" in without
    assert "Admin key  in /srv/data/admin-key" in without


def test_describe_of_a_failed_check_says_so(live: Started) -> None:
    text = told(replace(live, report=AccountReport(False, "status 403")))
    assert "NOT CONFIRMED – status 403" in text
    assert "configured" in text


def test_describe_warns_of_every_uncertain_price(live: Started) -> None:
    uncertain = [model.id for model in live.settings.catalog.models.values() if not model.price_at(NOW).is_certain]
    warnings = [line for line in describe(live, NOW) if line.startswith("  Warning: the price of")]
    assert len(warnings) == len(uncertain) > 0
    assert all(any(model in line for line in warnings) for model in uncertain)


def test_describe_passes_notes_on_and_names_an_external_store(live: Started) -> None:
    store = replace(live.settings.store, url="redis://:password@store:6379/0")
    text = told(replace(live, settings=replace(live.settings, store=store), notes=["port 8080 is taken"]))
    assert "Warning: port 8080 is taken" in text
    assert "Store      external" in text
    assert "password" not in text


def test_quickstart_python_is_five_lines_that_compile() -> None:
    lines = quickstart(URL, "sk-abc", Path("/k"), {})
    first = lines.index("from openai import OpenAI")
    snippet = lines[first : first + 5]
    assert lines[first + 5] == ""
    compile("\n".join(snippet), "snippet", "exec")
    assert 'api_key="sk-abc"' in snippet[1]


@pytest.mark.parametrize("name", ["key", 'it\'s a "key" & more', "ü"])
def test_quickstart_without_a_key_reads_it_in_shell_and_python(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("sk-secret\n")
    lines = quickstart(URL, "", file, {})
    assert "sk-secret" not in "\n".join(lines)
    export = next(line for line in lines if line.startswith("export OPENAI"))
    shell = subprocess.run(
        ["/bin/sh", "-c", f'{export}; echo "$OPENAI_API_KEY $OPENAI_BASE_URL"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == f"sk-secret {URL}\n"
    expression = next(line for line in lines if line.startswith("client = ")).partition("api_key=")[2][:-1]
    python = subprocess.run([sys.executable, "-c", f"print({expression})"], capture_output=True, text=True, check=True)
    assert python.stdout == "sk-secret\n"


@pytest.mark.parametrize(
    ("environ", "helps"),
    [
        ({}, False),
        ({"HTTPS_PROXY": "http://p"}, False),  # only for https
        ({"http_proxy": "http://p"}, True),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "localhost,127.0.0.1"}, False),
        ({"ALL_PROXY": "http://p", "no_proxy": "*"}, False),
        ({"ALL_PROXY": "http://p", "NO_PROXY": "*.example.com"}, True),
    ],
)
def test_quickstart_helps_clients_around_a_proxy(environ: dict[str, str], helps: bool) -> None:
    lines = quickstart(URL, "sk-abc", Path("/k"), environ)
    assert any(line.startswith("export NO_PROXY=") for line in lines) == helps
