"""A worker on trial: one that gets ready, with what runs left alone; the refusals are seen in test_restart.py."""

from pathlib import Path

import pytest
from support.running import TinyGateway

from gateway.config.load import load
from gateway.supervise.errors import CannotStart
from gateway.supervise.trial import try_worker

APP = "gateway.app:create_app"


def test_worker_on_trial_gets_ready_beside_the_others_and_leaves(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with TinyGateway(data_dir) as gateway:
        settings = load(f"data_dir: {data_dir}", {}, tmp_path, demo=False)
        try_worker(settings, APP)
        assert gateway.get("/who")["pid"] in gateway.started["workers"]
        assert gateway.end() == 0


def test_trial_without_a_running_gateway_is_refused(tmp_path: Path) -> None:
    settings = load(f"data_dir: {tmp_path / 'none'}", {}, tmp_path, demo=False)
    with pytest.raises(CannotStart, match="no gateway runs"):
        try_worker(settings, APP)
