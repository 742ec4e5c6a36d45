"""A model of another family, known from the configuration alone: listed, routed, served, priced, and counted."""

from typing import Any

import pytest
from support.upstreams import on_loop
from support.worker import FP8, running_worker

from gateway.simulator import SimulatorOptions
from gateway.simulator.models import MODELS, SimulatedModel

OWN = "@cf/acme/tiny-2b"
SERVED = SimulatorOptions(
    seed=1, models=(*MODELS, SimulatedModel(id=OWN, window_tokens=4_096, rates=(900, 900), prices=(0.01, 0.01)))
)
CONFIGURED: dict[str, Any] = {  # sections of a configuration
    "models": {
        OWN: {
            "window_tokens": 4_096,
            "capabilities": ["stream"],
            "prices": [
                {"from": "2026-01-01", "source": "my contract", "input_usd_per_mtok": 0.01, "output_usd_per_mtok": 0.02}
            ],
        }
    },
    "routes": {"auto": {"models": [FP8, "tiny-2b"]}},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("usage", "source"), [("real", "reported"), ("none", "estimated")])
@on_loop
async def test_own_model_is_served_priced_routed_and_counted(
    store_url: str, usage: str, source: str, stream: bool
) -> None:
    async with running_worker(store_url, SERVED, **CONFIGURED) as worker:
        listed = {entry["id"]: entry for entry in (await worker.request("GET", "/v1/models")).json()["data"]}
        assert (listed[OWN]["context_window"], listed[OWN]["price"]["output_per_mtok"]) == (4_096, 0.02)
        for name in ("auto", "tiny-2b", OWN):
            answer = await worker.ask(f"Count to 9 [[sim: usage={usage}]]", name, stream=stream)
            assert (answer.status_code, answer.headers["x-gateway-model"]) == (200, OWN), answer.text
        rows = await worker.rows(3)
        for row, call in zip(rows, worker.upstream.record.calls, strict=True):
            assert row.price_source == "my contract"
            assert (
                row.cost_nano
                == (row.prompt_tokens * 10_000_000 + row.completion_tokens * 20_000_000 + 500_000) // 10**6
            )
            assert row.usage_source == source
            if source == "reported":
                assert (row.prompt_tokens, row.completion_tokens) == (call.prompt_tokens, call.completion_tokens)
        too_long = await worker.ask("word " * 3_400, "tiny-2b")
        assert too_long.json()["error"]["code"] == "context_length_exceeded"
        routed = await worker.ask("word " * 3_400, "auto")
        assert routed.headers["x-gateway-model"] == FP8
