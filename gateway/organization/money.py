"""Money as text: exact decimals out of integer nano-dollars, and cents back into them. Never a binary fraction."""

from decimal import Decimal

import msgspec

NANO_PER_DOLLAR = 10**9
NANO_PER_CENT = 10**7


def decimal_text(units: int, places: int) -> str:
    """`units` × 10^-`places` written out, without trailing zeros: (60_000_000, 9) is `0.06`."""
    sign = "-" if units < 0 else ""
    whole, fraction = divmod(abs(units), 10**places)
    digits = f"{fraction:0{places}d}".rstrip("0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def dollars(nano: int) -> msgspec.Raw:
    """A JSON number of dollars."""
    return msgspec.Raw(decimal_text(nano, 9).encode())


def cents(nano: int) -> msgspec.Raw:
    """A JSON number of cents: whole for whole cents, as OpenAI's objects have them; else a decimal."""
    return msgspec.Raw(decimal_text(nano, 7).encode())


def cents_to_nano(amount: Decimal) -> int | None:
    """Nano-dollars of an amount in cents; None where it is finer than a nano-dollar."""
    nano = amount * NANO_PER_CENT
    return int(nano) if nano == nano.to_integral_value() else None
