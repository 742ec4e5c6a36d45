"""A job as dispatch makes it, for a call that a test made up."""

import asyncio
from dataclasses import replace
from typing import Any

from support.ledgers import make_identity

from gateway.core.call import Call, Message
from gateway.core.catalog import Catalog, Model, Price
from gateway.core.eligibility import Facts
from gateway.core.routing import plan
from gateway.job import Job
from gateway.ledger.contract import Held

MODEL = Model(
    "@cf/meta/llama-3.1-8b-instruct-fp8",
    32_000,
    (Price("p1", 0, "page", 152_000_000, 287_000_000),),
    capabilities=frozenset({"stream", "tools", "json"}),
)
CREATED_MS = 1_760_000_000_000


def make_call(text: str = "hello", **fields: Any) -> Call:  # any field of a call
    return Call("chat", MODEL.id, (Message("user", text),), **fields)


def make_job(call: Call, changes: dict[str, Any] | None = None, **fields: Any) -> Job:  # of the model; of the job
    """Held and about to be attempted; must be made in a running loop."""
    now = asyncio.get_running_loop().time()
    model = replace(MODEL, **(changes or {}))
    made = plan(call, Catalog({model.id: model}, {}, {}), Facts(1.7e9, {"llama3": 36, "llama3.1": 36}, 40, 40))
    job = Job(
        id="req_" + "0" * 32,
        surface="chat",
        upstream="simulator",
        arrived=now,
        deadline=now + 10,
        identity=make_identity(),
        call=call,
        plan=made,
        candidate=made.candidates[0],
        price=model.prices[0],
        held=Held(CREATED_MS, 256),
        is_owed=True,
    )
    for name, value in fields.items():
        setattr(job, name, value)
    return job
