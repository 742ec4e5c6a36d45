"""The settings of one gateway, as values. Defaults here are the built-in ones; config.example.yaml shows the same."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway.core.account import AccountRates
from gateway.core.catalog import Catalog
from gateway.core.neurons import NeuronPrice


@dataclass(slots=True, frozen=True)
class ServerSettings:
    """The listener. `workers` are processes, one per core at most; `cors_origins` are pages' origins, or `*`.

    `tls_certificate` (its chain included) and `tls_key` are PEM texts; `trusted_proxies` addresses and networks.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    max_body_bytes: int = 4 * 1024 * 1024
    drain_seconds: float = 30.0
    unready_seconds: float = 0.0
    request_seconds: float = 60.0
    cors_origins: tuple[str, ...] = ()
    tls_certificate: str = field(default="", repr=False)
    tls_key: str = field(default="", repr=False)
    trusted_proxies: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class UpstreamSettings:
    """The Cloudflare account and how long to wait for it. Timeouts are seconds."""

    base_url: str = "https://api.cloudflare.com/client/v4"
    account_id: str = ""
    api_token: str = field(default="", repr=False)
    client: Literal["auto", "pyreqwest", "httpx2"] = "auto"
    connect_seconds: float = 5.0
    first_byte_seconds: float = 120.0
    read_seconds: float = 120.0
    total_seconds: float = 600.0
    max_connections: int = 1024
    proxy: str = field(default="", repr=False)  # URL of an HTTP proxy, may carry a password; never used for loopback
    ca_file: str = ""  # PEM bundle trusted besides the platform's own


@dataclass(slots=True, frozen=True)
class ChatSettings:
    """How chat requests are treated. Seconds; `commit_after_seconds` 0 waits for the upstream's first event."""

    out_of_range: Literal["clamp", "refuse"] = "clamp"
    max_choices: int = 8
    heartbeat_seconds: float = 15.0
    commit_after_seconds: float = 0.0


@dataclass(slots=True, frozen=True)
class StoreSettings:
    """`url` is `embedded`, `redis://…`, `rediss://…` or `unix://…`; every key starts with `prefix`."""

    url: str = field(default="embedded", repr=False)
    prefix: str = "gw:"


@dataclass(slots=True, frozen=True)
class LedgerSettings:
    """How long rows stay in the store; past either bound they are exported and trimmed. Sums stay."""

    retention_days: int = 90
    max_rows: int = 1_000_000
    rollup_tags: tuple[str, ...] = ()
    timezone: str = "UTC"  # of days, weeks and months in limits


@dataclass(slots=True, frozen=True)
class SpoolSettings:
    """When receipts reach the disk itself: left to the system, every second, or before every answer."""

    fsync: Literal["never", "interval", "always"] = "never"


@dataclass(slots=True, frozen=True)
class AlertSettings:
    """Percentages of budgets at which to tell, and the webhook that is told; without a URL there is none."""

    thresholds: tuple[int, ...] = (50, 80, 100)
    webhook_url: str = field(default="", repr=False)  # its path may be a secret
    webhook_secret: str = field(default="", repr=False)


@dataclass(slots=True, frozen=True)
class MetricsSettings:
    """Prometheus listener, `host:port`; empty switches it off."""

    listen: str = "127.0.0.1:9464"


@dataclass(slots=True, frozen=True)
class LogSettings:
    """How the log is written; `access` is one line per request."""

    format: Literal["console", "json"] = "console"
    access: bool = True


@dataclass(slots=True, frozen=True)
class TracingSettings:
    """Where spans go, OTLP over HTTP; empty switches them off. `sample_ratio` is of traces begun here."""

    endpoint: str = ""
    authorization: str = field(default="", repr=False)
    sample_ratio: float = 1.0


@dataclass(slots=True, frozen=True)
class Settings:
    """Everything read from configuration and environment, complete and valid."""

    server: ServerSettings
    upstream: UpstreamSettings
    store: StoreSettings
    metrics: MetricsSettings
    data_dir: Path  # absolute
    admin_key: str = field(repr=False)  # empty: generated into data_dir (embedded store only)
    catalog: Catalog
    chat: ChatSettings = field(default_factory=ChatSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    account: AccountRates = field(default_factory=AccountRates)
    neurons: NeuronPrice = field(default_factory=NeuronPrice)
    log: LogSettings = field(default_factory=LogSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    tokenizer_path: Path | None = None
    is_demo: bool = False
