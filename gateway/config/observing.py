"""The sections `log` and `tracing`: what the gateway tells about requests while it runs. Pure."""

from typing import Final

from gateway.config.kinds import Key, Section, choice, flag, number, text
from gateway.config.settings import LogSettings, TracingSettings

_LOG: Final = LogSettings()
_TRACING: Final = TracingSettings()

LOG: Final = Section(
    (
        Key("format", choice(("console", "json")), "Lines for people, or one JSON document a line.", _LOG.format),
        Key("access", flag(), "One line per request, with its id.", str(_LOG.access).lower()),
    )
)

TRACING: Final = Section(
    (
        Key(
            "endpoint",
            text(
                "an http:// or https:// URL, or empty",
                r"(https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[^\s?#]*)?)?",
            ),
            "Where spans are sent by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces (extra `otel`); empty "
            "switches tracing off.",
            "none",
        ),
        Key(
            "authorization",
            text("the value of a header, or empty", r"[\x20-\x7e]*", secret=True),
            "Sent to the endpoint as the header Authorization.",
            "none",
            has_file=True,
        ),
        Key(
            "sample_ratio",
            number(0, 1),
            "Share of the traces begun here that is sent; a caller's own traces follow the caller.",
            f"{_TRACING.sample_ratio:g}",
        ),
    )
)
