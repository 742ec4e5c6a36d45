"""What the gateway says when it has started: lines of text from values. Prints nothing, asks nobody.

A key appears only in `quickstart`, and only where the caller passes one; everything else never sees a key.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway import __version__
from gateway.config.settings import Settings
from gateway.core.catalog import Model
from gateway.supervise.account import AccountReport

_SIMULATOR = (
    "THIS IS THE SIMULATOR. No model runs: a program on this machine makes the answers up, and nothing is billed.",
    "For real answers set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN and start again.",
)


@dataclass(slots=True, frozen=True)
class Started:
    """A gateway that serves. `base_url` ends with /v1; `notes` are further warnings; the files
    are there where a key was generated; `metrics_trouble` is why nobody serves metrics.
    """

    settings: Settings
    base_url: str
    first_key_file: Path | None
    report: AccountReport | None = None
    store_was_adopted: bool = False
    metrics_trouble: str = ""
    admin_key_file: Path | None = None
    notes: Sequence[str] = ()


def describe(started: Started, now: float) -> list[str]:
    """The banner, without any key. `now` is unix seconds."""
    settings = started.settings
    lines = ["", f"workers-ai-gateway {__version__} is running."]
    if settings.is_demo:
        lines += ["", *_SIMULATOR]
    lines += ["", f"  Base URL   {started.base_url}", f"  Dashboard  {started.base_url.removesuffix('/v1')}/dashboard"]
    lines.append(f"  Upstream   {_upstream(started)}")
    lines += [f"  Data       {settings.data_dir}", f"  Store      {_store(started)}"]
    if settings.metrics.listen:
        address = f"http://{settings.metrics.listen}/metrics"
        lines.append(f"  Metrics    {f'off ({started.metrics_trouble})' if started.metrics_trouble else address}")
    if started.admin_key_file is not None:
        lines.append(f"  Admin key  in {started.admin_key_file}")
    if started.first_key_file is not None:
        lines.append(f"  First key  in {started.first_key_file}")
    lines += ["", "  Models"]
    lines += [f"    {model.id:<42} {_status(model, started, now)}" for model in settings.catalog.models.values()]
    warnings = [*started.notes, *_price_warnings(settings, now)]
    if warnings:
        lines += ["", *(f"  Warning: {warning}" for warning in warnings)]
    return lines


def quickstart(base_url: str, key: str, key_file: Path, environ: Mapping[str, str]) -> list[str]:
    """Lines to paste. With an empty `key` they read it from `key_file` instead of showing it."""
    in_shell = key or f'"$(cat {shlex.quote(str(key_file))})"'
    in_python = json.dumps(key) if key else f"open({str(key_file)!r}).read().strip()"
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]})
    authorization = f"'Authorization: Bearer {key}'" if key else f'"Authorization: Bearer "{in_shell}'
    lines = ["", "Point any OpenAI client at it:", "", f"export OPENAI_BASE_URL={base_url} OPENAI_API_KEY={in_shell}"]
    if _has_proxy(environ):
        lines += ["", "A proxy is set in this shell; clients must not use it for this machine:", ""]
        lines.append('export NO_PROXY="${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost" no_proxy="127.0.0.1,localhost"')
    lines += [
        "",
        "In Python (pip install openai):",
        "",
        "from openai import OpenAI",
        f"client = OpenAI(base_url={json.dumps(base_url)}, api_key={in_python})",
        'messages = [{"role": "user", "content": "Say hello."}]',
        'answer = client.chat.completions.create(model="auto", messages=messages)',
        "print(answer.choices[0].message.content)",
        "",
        "With curl:",
        "",
        f"curl {base_url}/chat/completions -H {authorization} -H 'Content-Type: application/json' -d '{body}'",
    ]
    return lines


def _upstream(started: Started) -> str:
    upstream = started.settings.upstream
    if started.settings.is_demo:
        return "the built-in simulator"
    where = f"Cloudflare, account …{upstream.account_id[-4:]}"
    if started.report is None:
        return where
    if started.report.is_accepted:
        return f"{where}: {started.report.message}"
    return f"{where}: NOT CONFIRMED – {started.report.message}"


def _store(started: Started) -> str:
    if started.settings.store.url != "embedded":
        return "external"
    return "embedded, still running since the last gateway was killed" if started.store_was_adopted else "embedded"


def _status(model: Model, started: Started, now: float) -> str:
    is_past = model.deprecated_on is not None and model.deprecated_on <= now
    is_routed = any(model.id in route.models for route in started.settings.catalog.routes.values())
    place = "tried after all others" if is_routed else "in no route"
    ended = f"announced end {_day(model.deprecated_on)} has passed: {place}" if is_past else ""
    report = started.report
    if report is None or not report.is_accepted:
        return ended or ("simulated" if started.settings.is_demo else "configured")
    if model.id not in report.listed:
        return ended or "NOT in Cloudflare's catalogue: it may be gone"
    end = report.listed[model.id]
    return f"in Cloudflare's catalogue{f', announced end {end}' if end else ''}"


def _price_warnings(settings: Settings, now: float) -> list[str]:
    uncertain = [
        (model.id, model.price_at(now).source)
        for model in settings.catalog.models.values()
        if not model.price_at(now).is_certain
    ]
    return [f"the price of {model} is uncertain ({source}); its rows say so too" for model, source in uncertain]


def _day(moment: int | None) -> str:
    return datetime.fromtimestamp(moment or 0, UTC).date().isoformat()


def _has_proxy(environ: Mapping[str, str]) -> bool:
    names = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    excepted = environ.get("NO_PROXY", "") + "," + environ.get("no_proxy", "")
    return any(environ.get(name) for name in names) and "127.0.0.1" not in excepted and "*" not in excepted.split(",")
