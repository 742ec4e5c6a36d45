"""A key is rotated on one replica while clients use it on another: nobody is refused until the grace is over."""

import threading
import time
from pathlib import Path

from support.gateway import GatewayProcess, gateway
from support.valkey import throw_away_store

from gateway.simulator import Simulator

BODY = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
GRACE_SECONDS = 3


def test_rotation_under_load_refuses_nobody_until_the_grace_is_over(upstream: Simulator, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with (
        throw_away_store() as store,
        gateway(folders[0], upstream, store.url) as first,
        gateway(folders[1], upstream, store.url) as second,
    ):
        project, old = first.make_key("rotated")
        (key,) = first.admin("GET", f"/projects/{project}/api_keys")["data"]
        seen: list[tuple[float, float, int]] = []  # asked, answered, status
        is_over = threading.Event()

        def use(replica: GatewayProcess) -> None:
            while not is_over.is_set():
                asked = time.time()
                status = replica.chat(BODY, old).status_code
                seen.append((asked, time.time(), status))

        clients = [threading.Thread(target=use, args=(replica,)) for replica in (first, second, second)]
        for client in clients:
            client.start()
        path = f"/projects/{project}/api_keys/{key['id']}/rotate"
        made = first.admin("POST", path, json={"grace_seconds": GRACE_SECONDS})
        while time.time() < made["previous_valid_until"] + 1:
            assert second.chat(BODY, made["value"]).status_code == 200
        is_over.set()
        for client in clients:
            client.join()
        ends = made["previous_valid_until"]
        assert {status for _, answered, status in seen if answered < ends} == {200}
        assert {status for asked, _, status in seen if asked > ends} == {401}
        assert [replica.chat(BODY, made["value"]).status_code for replica in (first, second)] == [200, 200]
