"""Lets the next attempt of a request begin: its turn at the account first, then its hold.

The turn is waited for before anything is held, so that nobody's budget is tied up by waiting; an attempt after the
first keeps the hold of the one before it, and its turn comes first.
"""

import time
from dataclasses import dataclass

from gateway.core.catalog import Catalog
from gateway.core.errors import InvalidKey, RateLimited, StoreAway
from gateway.fleet.governor import Governor
from gateway.job import Job
from gateway.keys import Keyring
from gateway.ledger.contract import Held, Ledger, Refused, Stale
from gateway.planning import Planning
from gateway.witness import Witness

RETURNING = ""  # whom those queue as who hold already, with a weight that lets them pass
_FOREMOST = 1_000_000_000


@dataclass(slots=True, frozen=True)
class Admission:
    """One per worker."""

    keyring: Keyring
    ledger: Ledger
    planning: Planning
    governor: Governor
    witness: Witness

    async def admit(self, job: Job, catalog: Catalog) -> int:
        """Wait for the candidate's turn and hold its worst case. Returns the max_tokens granted per choice.

        0 where there is another plan now: the store knows other rules of the key than the plan was made by, or a limit
        of this candidate alone is in the way. Raises what refuses the request.
        """
        if not self.ledger.has_room():
            raise StoreAway("The gateway cannot write receipts now, so nothing may be spent.", retry_after=5.0)
        model_id = job.candidate.model.id
        await self._turn(job, model_id)
        granted = 0
        try:
            granted = await self._hold(job, catalog)
        finally:
            if not granted:
                self.governor.give_back(model_id, job.call.n)
        return granted

    async def _turn(self, job: Job, model_id: str) -> None:
        project, weight = job.identity.project.id, job.identity.project.rules.queue_weight or 1
        if job.is_owed:
            project, weight = RETURNING, _FOREMOST
        try:
            waited = await self.governor.turn(model_id, project, weight, job.call.n, job.deadline)
        except RateLimited:
            self.witness.turned_away()
            raise
        if waited:
            job.queued_seconds += waited
            self.witness.queued(waited)

    async def _hold(self, job: Job, catalog: Catalog) -> int:
        job.price = job.candidate.model.price_at(time.time())
        for _ in range(2):
            held = await self.ledger.hold(job.claims())
            if isinstance(held, Held):
                job.held, job.rates, job.is_owed = held, held.rates, True
                return held.max_tokens
            if isinstance(held, Refused):
                if job.passes_over(held):
                    return 0
                self.witness.refused(held, job.identity)
                raise job.refusal(held)
            if not isinstance(held, Stale):
                self.keyring.forget(job.identity.key_hash)
                raise InvalidKey("This API key has been revoked.", code="invalid_api_key")
            is_outdated = held.identity.access != job.identity.access
            job.identity = held.identity
            self.keyring.replace(held.identity)
            if is_outdated:
                job.plan = await self.planning.plan(job.call, job.identity, catalog)
                return 0
        raise StoreAway("The records of this key keep changing; try again.", retry_after=1.0)
