"""Plans a call with everything this worker knows: the one way to a plan, for dispatch and for /v1/explain.

It counts the prompt once for all models, a long one in a thread so that no stream waits for it, and puts the facts
together. The decision itself is `core.routing`'s.
"""

import asyncio
from collections.abc import Callable

from gateway.core.call import Call
from gateway.core.catalog import Catalog
from gateway.core.eligibility import Facts
from gateway.core.records import Identity
from gateway.core.routing import Plan, plan
from gateway.core.templates import count_prompts, texts_to_count
from gateway.fleet.knowledge import Knowledge
from gateway.tokenizer import THREAD_CHARS, Tokenizer


class Planning:
    """One per worker. `full` tells which models cannot be asked now without exceeding the account's rates; `clock` is
    unix seconds; `draw` gives random numbers in [0, 1).
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        knowledge: Knowledge,
        full: Callable[[], frozenset[str]],
        clock: Callable[[], float],
        draw: Callable[[], float],
    ) -> None:
        self._tokenizer = tokenizer
        self._knowledge = knowledge
        self._full = full
        self._clock = clock
        self._draw = draw

    async def plan(self, call: Call, identity: Identity, catalog: Catalog) -> Plan:
        """Who will be tried for this call of this key, in order. Raises what `core.routing.plan` does."""
        return plan(call, catalog, await self.facts(call, identity))

    async def facts(self, call: Call, identity: Identity) -> Facts:
        """What is known about the call now."""
        texts = texts_to_count(call)
        sizes = [len(text) for text in texts]
        chars = sum(sizes)
        if chars < THREAD_CHARS:
            prompts = count_prompts(call, texts, self._tokenizer.count)
        else:
            prompts = await asyncio.to_thread(count_prompts, call, texts, self._tokenizer.count)
        knowledge = self._knowledge
        return Facts(
            self._clock(),
            prompts,
            chars,
            max(sizes),
            knowledge.learned(),
            knowledge.outputs(identity.key.id),
            identity.access,
            self._full(),
            self._draw(),
        )
