"""Every key a configuration can have: the one table behind parsing, the JSON Schema and docs/configuration.md.

Defaults stand in settings.py and are only shown here.
"""

from typing import Final, get_args

from gateway.config.kinds import (
    FILE_PATH,
    Bounds,
    JsonSchema,
    Key,
    Kind,
    ListOf,
    MapOf,
    Section,
    choice,
    day,
    flag,
    integer,
    number,
    text,
    usd_per_mtok,
)
from gateway.config.settings import ChatSettings, MetricsSettings, ServerSettings, StoreSettings, UpstreamSettings
from gateway.core.catalog import Capability, Model, Route, Template
from gateway.core.routing import POLICIES

_SERVER: Final = ServerSettings()
_UPSTREAM: Final = UpstreamSettings()
_STORE: Final = StoreSettings()
_CHAT: Final = ChatSettings()
_SHOWN_MODEL: Final = Model("", 0, ())
_SHOWN_ROUTE: Final = Route("", ())

MAX_SECONDS: Final = 86_400
PARAMETERS: Final = (
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "repetition_penalty",
    "frequency_penalty",
    "presence_penalty",
)

# Credentials travel in header lines: a blank or a line break in one is always a slip.
API_TOKEN: Final = text("a token without blanks", r"[\x21-\x7e]*", secret=True)
PROXY: Final = text("a proxy's URL", r"((https?|socks5h?)://[\x21-\x7e]+)?", secret=True)
ACCOUNT_ID: Final = text("a Cloudflare account id", r"[A-Za-z0-9_-]*")
# The id is put into the upstream's URL as it is, so nothing that means something in a URL, and no `..`.
_MODEL_ID = text("a model id such as @cf/author/name", r"@?[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
_NAME = text("a name without blanks, at most 200 characters", r"[^\s\x00-\x1f\x7f]{1,200}")


def _seconds(name: str, about: str, default: float) -> Key:
    return Key(name, number(0.001, MAX_SECONDS), f"{about}, seconds.", f"{default:g}")


SERVER: Final = Section(
    (
        Key("host", text("a host name or address", r"[^\s/]+"), "Address to listen on.", _SERVER.host),
        Key("port", integer(0, 65_535), "Port to listen on; 0 takes any free one.", str(_SERVER.port)),
        Key("workers", integer(1, 256), "Worker processes; one per core is enough.", str(_SERVER.workers)),
        Key(
            "max_body_bytes",
            integer(1_024, 1 << 30),
            "Largest request body taken, bytes; a larger one is answered with 413.",
            str(_SERVER.max_body_bytes),
        ),
        _seconds("drain_seconds", "How long open streams may finish after SIGTERM", _SERVER.drain_seconds),
    )
)

UPSTREAM: Final = Section(
    (
        Key(
            "base_url",
            text(
                "an http:// or https:// URL without query",
                r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[^\s?#]*)?",
            ),
            "Cloudflare's API, or whatever speaks like it.",
            _UPSTREAM.base_url,
        ),
        Key(
            "account_id",
            ACCOUNT_ID,
            "Cloudflare account.",
            "$CLOUDFLARE_ACCOUNT_ID",
        ),
        Key(
            "api_token",
            API_TOKEN,
            "Token with the permissions Workers AI Read and Edit.",
            "$CLOUDFLARE_API_TOKEN, else $CLOUDFLARE_AUTH_TOKEN",
            has_file=True,
        ),
        Key(
            "client",
            choice(("auto", "pyreqwest", "httpx2")),
            "HTTP client; `auto` takes pyreqwest where it is installed (extra `fast`), else httpx2.",
            _UPSTREAM.client,
        ),
        _seconds("connect_seconds", "Longest wait for a connection", _UPSTREAM.connect_seconds),
        _seconds(
            "first_byte_seconds",
            "Longest wait for the first event (Cloudflare queues while it has no capacity)",
            _UPSTREAM.first_byte_seconds,
        ),
        _seconds("read_seconds", "Longest silence inside an answer", _UPSTREAM.read_seconds),
        _seconds("total_seconds", "Longest answer, all attempts together", _UPSTREAM.total_seconds),
        Key(
            "max_connections",
            integer(1, 65_535),
            "Connections to the upstream at a time, per worker.",
            str(_UPSTREAM.max_connections),
        ),
        Key(
            "proxy",
            PROXY,
            "HTTP proxy on the way to the upstream; never used for loopback.",
            "$HTTPS_PROXY, unless $NO_PROXY names the host",
            has_file=True,
        ),
        Key(
            "ca_file",
            FILE_PATH,
            "Certificates (PEM) trusted for the upstream besides the system's, relative to this file.",
            "$SSL_CERT_FILE, else none",
        ),
    )
)

STORE: Final = Section(
    (
        Key(
            "url",
            text(
                "embedded, or a redis://, rediss:// or unix:// URL",
                r"embedded|(redis|rediss|unix)://[\x21-\x7e]+",
                secret=True,
            ),
            "Where accounts are kept: `embedded` runs a server of our own below data_dir, else a Redis or Valkey.",
            _STORE.url,
            has_file=True,
        ),
        Key(
            "prefix",
            text("1 to 64 printable characters without blanks and braces", r"[!-z|~]{1,64}"),
            "Every key in the store starts with this.",
            _STORE.prefix,
        ),
    )
)

CHAT: Final = Section(
    (
        Key(
            "out_of_range",
            choice(("clamp", "refuse")),
            "A parameter the chosen model does not take as it is (a negative penalty, top_p 0): `clamp` moves it to "
            "the bound and names it in `x-gateway-ignored`, `refuse` answers 400.",
            _CHAT.out_of_range,
        ),
        Key("max_choices", integer(1, 128), "Largest `n`; each choice is an upstream call.", str(_CHAT.max_choices)),
        _seconds("heartbeat_seconds", "Silence in a stream after which a comment is sent", _CHAT.heartbeat_seconds),
        Key(
            "commit_after_seconds",
            number(0, MAX_SECONDS),
            "Begin a stream after so many seconds without an upstream event, so that heartbeats can be sent; from "
            "then on errors arrive inside the stream and nothing is retried. 0 never does.",
            f"{_CHAT.commit_after_seconds:g}",
        ),
    )
)

METRICS: Final = Section(
    (
        Key(
            "listen",
            text("host:port, or empty", r"([^\s/]+:[0-9]{1,5})?"),
            "Where Prometheus may scrape `/metrics`; empty switches it off.",
            MetricsSettings().listen,
        ),
    )
)

TOKENIZER: Final = Section(
    (
        Key(
            "path",
            FILE_PATH,
            "Vocabulary file of Llama 3 (`tokenizer.model`), relative to this file.",
            "the one in the `llama-models` package, where installed",
        ),
    )
)

_PRICE: Final = Section(
    (
        Key("from", day(), "First day (UTC) of this price.", is_required=True),
        Key(
            "source",
            text("text", r"[^\x00-\x1f]{1,200}"),
            "Where the figures come from; `inferred…` and `disputed…` are warned about.",
            is_required=True,
        ),
        Key("input_usd_per_mtok", usd_per_mtok(), "Dollars per million prompt tokens.", is_required=True),
        Key("output_usd_per_mtok", usd_per_mtok(), "Dollars per million completion tokens.", is_required=True),
        Key("cached_usd_per_mtok", usd_per_mtok(), "Dollars per million cached prompt tokens.", "as input"),
    )
)

_RANGES: Final = Section(
    tuple(Key(name, Bounds(), f"Bounds of `{name}`; what lies outside is moved to the bound.") for name in PARAMETERS)
)

MODEL: Final = Section(
    (
        Key("enabled", flag(), "`false` removes a built-in model.", "true"),
        Key("names", ListOf(_NAME), "Further short names; the id's part after the last slash always is one."),
        Key("window_tokens", integer(1, 100_000_000), "Prompt and answer together fit in this many tokens."),
        Key(
            "window_source", text("text", r"[^\x00-\x1f]{1,200}"), "Where that comes from.", _SHOWN_MODEL.window_source
        ),
        Key(
            "template",
            choice(get_args(Template)),
            "Prompt layout of its family; `other` counts by what the upstream reports, else by an estimate.",
            "other; llama3.1 for the built-in ones but @hf",
        ),
        Key("capabilities", ListOf(choice(get_args(Capability))), "What it can do; a request for more passes it by."),
        Key("ranges", _RANGES, "Bounds the upstream accepts per parameter, `[minimum, maximum]`."),
        Key(
            "max_content_chars",
            integer(1, 1 << 31, may_be_null=True),
            "Longest single message, characters; null where unlimited.",
            "null",
        ),
        Key(
            "tools_shape",
            choice(("openai", "flat")),
            "How tool definitions are written for it.",
            _SHOWN_MODEL.tools_shape,
        ),
        Key(
            "json_mode",
            choice(("native", "prompt", "auto")),
            "Structured output: by the upstream's response_format, by instruction, or whichever works.",
            _SHOWN_MODEL.json_mode,
        ),
        Key("neurons_in_per_mtok", integer(0, 10**12, may_be_null=True), "Neurons per million prompt tokens."),
        Key("neurons_out_per_mtok", integer(0, 10**12, may_be_null=True), "Neurons per million completion tokens."),
        Key(
            "deprecated_on",
            day(may_be_null=True),
            "From this day (UTC) it comes after all others, until it answers.",
            "null",
        ),
        Key(
            "successor",
            text("a model id", r"[^\s\x00-\x1f]{1,200}", may_be_null=True),
            "What to use instead once it is retired.",
            "null",
        ),
        Key("prices", ListOf(_PRICE, minimum=1), "Prices, each in force from its day on."),
    )
)

ROUTE: Final = Section(
    (
        Key(
            "policy",
            choice(tuple(POLICIES)),
            "How eligible models are ordered, see docs/models.md.",
            _SHOWN_ROUTE.policy,
        ),
        Key("models", ListOf(_NAME, minimum=1), "The models it stands for, ids or short names."),
        Key("max_attempts", integer(1, 20), "Upstream calls per request at most.", str(_SHOWN_ROUTE.max_attempts)),
    )
)

_CATALOG_KEYS: Final = (
    Key("models", MapOf(_MODEL_ID, MODEL), "Models by id. A built-in one is changed key by key."),
    Key("routes", MapOf(_NAME, ROUTE), "Model names that stand for several models and a policy."),
    Key("aliases", MapOf(_NAME, _NAME), "Other names for a route or model, e.g. `gpt-4o: auto`."),
)
CATALOG: Final = Section(_CATALOG_KEYS)

ROOT: Final = Section(
    (
        Key("server", SERVER, "The listener and its processes."),
        Key("upstream", UPSTREAM, "The Cloudflare account and how long to wait for it."),
        Key("store", STORE, "Redis or Valkey."),
        Key("data_dir", FILE_PATH, "Spool, embedded store and generated keys, relative to this file.", "./data"),
        Key(
            "admin_key",
            text("8 or more characters without blanks, or empty", r"([\x21-\x7e]{8,})?", secret=True),
            "Opens `/v1/organization/…`. Must be given with an external store.",
            "generated below data_dir",
            has_file=True,
        ),
        Key("chat", CHAT, "Chat completions."),
        Key("metrics", METRICS, "Prometheus."),
        Key("tokenizer", TOKENIZER, "Exact token counts."),
        *_CATALOG_KEYS,
    )
)


def json_schema() -> JsonSchema:
    """The configuration file as JSON Schema, for editors; published as docs/config.schema.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "workers-ai-gateway configuration",
        **ROOT.schema(),
    }


def described_keys() -> list[tuple[str, Key]]:
    """Every key with its path, in order; `<id>`, `<name>` and `[]` stand for what the user chooses."""
    return _below("", ROOT)


def _below(path: str, kind: Kind) -> list[tuple[str, Key]]:
    if isinstance(kind, MapOf):
        return _below(f"{path}.<{'id' if kind.name is _MODEL_ID else 'name'}>", kind.value)
    if isinstance(kind, ListOf):
        return _below(f"{path}[]", kind.item)
    if not isinstance(kind, Section):
        return []
    found: list[tuple[str, Key]] = []
    for key in kind.keys:
        here = f"{path}.{key.name}" if path else key.name
        found.append((here, key))
        found.extend(_below(here, key.kind))
    return found
