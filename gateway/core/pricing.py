"""What tokens cost, in whole nano-dollars. Decides amounts only; which price is in force is the catalogue's business.

Prices are nano-dollars per million tokens, so `price × tokens` is exact and one division ends the sum. Rounding
happens once per attempt, half up: two attempts of half a nano-dollar each cost one each. No float is ever involved.
"""

from gateway.core.catalog import Price

NANO_PER_DOLLAR = 1_000_000_000
TOKENS_PER_PRICE = 1_000_000  # prices are per million tokens


def cost_nano(price: Price, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> int:
    """What one attempt costs, in nano-dollars, half up.

    `cached_tokens` are part of `prompt_tokens` and charged at the cached price where there is one. More cached
    than prompt tokens is an upstream's slip and counted as all of them.
    """
    cached = min(cached_tokens, prompt_tokens)
    cached_price = price.input_nano_per_mtok if price.cached_nano_per_mtok is None else price.cached_nano_per_mtok
    total = (
        (prompt_tokens - cached) * price.input_nano_per_mtok
        + cached * cached_price
        + completion_tokens * price.output_nano_per_mtok
    )
    return (total + TOKENS_PER_PRICE // 2) // TOKENS_PER_PRICE


def dollars_text(nano: int) -> str:
    """Nano-dollars as dollars, exact, with at least cents: `0.06`, `0.0000484`."""
    whole, fraction = divmod(nano, NANO_PER_DOLLAR)
    return f"{whole}.{fraction:09d}".rstrip("0").ljust(len(str(whole)) + 3, "0")


def dearest_input(price: Price) -> int:
    """The most a prompt token can cost, nano-dollars per million: what a hold must assume."""
    return max(price.input_nano_per_mtok, price.cached_nano_per_mtok or 0)


def worst_cost(price: Price, prompt_tokens: int, max_tokens: int, choices: int = 1) -> int:
    """The most a request can cost: every choice is an attempt of its own, rounded up. hold.lua computes the same."""
    total = prompt_tokens * dearest_input(price) + max_tokens * price.output_nano_per_mtok
    return choices * -(-total // TOKENS_PER_PRICE)
