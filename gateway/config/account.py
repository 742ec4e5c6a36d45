"""The sections `account` and `neurons`: what Cloudflare allows the account, and what it pays."""

from typing import Final

from gateway.config.kinds import Key, Section, integer, number, usd
from gateway.core.account import AccountRates
from gateway.core.neurons import NeuronPrice

_DEFAULT: Final = AccountRates()
_NEURONS: Final = NeuronPrice()

ACCOUNT: Final = Section(
    (
        Key(
            "requests_per_minute",
            integer(1, 1_000_000, may_be_null=True),
            "Requests a minute the account may send to each model, over all replicas; Cloudflare's usual limit is 300. "
            "null keeps to nothing.",
            "null",
        ),
        Key(
            "api_requests_per_five_minutes",
            integer(1, 10_000_000, may_be_null=True),
            "Requests in five minutes to all models together; Cloudflare's limit for its API is 1,200. null keeps to "
            "nothing.",
            "null",
        ),
        Key(
            "queue_seconds",
            number(0, 600),
            "How long a request waits for its turn at most, seconds.",
            f"{_DEFAULT.queue_seconds:g}",
        ),
        Key(
            "queue_length",
            integer(0, 100_000),
            "How many requests of a project wait at one worker at most.",
            str(_DEFAULT.queue_length),
        ),
    )
)

NEURONS: Final = Section(
    (
        Key(
            "free_per_day",
            integer(0, 1_000_000_000),
            "Neurons the account has free per UTC day.",
            str(_NEURONS.free_per_day),
        ),
        Key(
            "usd_per_thousand",
            usd(),
            "What 1,000 neurons cost beyond those, dollars.",
            f"{_NEURONS.usd_per_thousand:g}",
        ),
    )
)
