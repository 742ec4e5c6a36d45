"""The `alerts` section: its keys, and what its values must be together. Pure."""

from typing import Final

from gateway.config.document import Reading
from gateway.config.kinds import Key, ListOf, Section, Value, integer, text
from gateway.config.settings import AlertSettings
from gateway.core.signature import signing_key

ALERTS: Final = Section(
    (
        Key(
            "thresholds",
            ListOf(integer(1, 1_000)),
            "Percentages of every budget at which to tell: in the log, as a metric, to the webhook. Empty: none.",
            "50, 80, 100",
        ),
        Key(
            "webhook_url",
            text(
                "an http:// or https:// URL, or empty",
                r"(https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[\x21-\x7e]*)?)?",
                secret=True,
            ),
            "Where alerts are posted, signed. Nobody but this file names it.",
            "none",
            has_file=True,
        ),
        Key(
            "webhook_secret",
            text("16 or more characters without blanks, or whsec_ and base64", r"([\x21-\x7e]{16,})?", secret=True),
            "Signs what is posted; must be given with a URL.",
            "none",
            has_file=True,
        ),
    )
)


def alert_settings(given: dict[str, Value], reading: Reading) -> AlertSettings:
    """What is to be watched and told to whom."""
    settings = AlertSettings(**given)
    is_refused = reading.has_refused("alerts.webhook_secret")
    if settings.webhook_url and not settings.webhook_secret and not is_refused:
        reading.refuse("alerts.webhook_secret", "must be given with a webhook_url", "receivers verify by it")
    try:
        signing_key(settings.webhook_secret)
    except ValueError as error:
        reading.refuse("alerts.webhook_secret", str(error))
    return settings
