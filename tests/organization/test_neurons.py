"""Neurons by day: what is free is taken off once a day, for the whole organisation."""

from datetime import UTC, datetime

import httpx2
from support.admin_gateway import AdminGateway

DAY = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


def test_neuron_days_take_the_free_ones_off_each_day(gateway: AdminGateway, http: httpx2.Client) -> None:
    gateway.add_row(created_ms=DAY * 1000, cost_nano=200_000_000, neurons_nano=9_000 * 10**9)
    gateway.add_row(created_ms=DAY * 1000, project_id="proj_2", neurons_nano=3_000 * 10**9, cost_nano=0)
    gateway.add_row(created_ms=(DAY + 86_400) * 1000, cost_nano=5, neurons_nano=500_000_000)
    page = http.get("/neurons", params={"start_time": DAY, "end_time": DAY + 3 * 86_400}).json()
    found = [
        (each["neurons"], each["free_neurons"], each["neuron_cost_nano"], each["billed_nano"], each["difference_nano"])
        for each in page["data"]
    ]
    assert found == [
        (12_000, 10_000, 132_000_000, 22_000_000, 68_000_000),
        (0.5, 10_000, 5_500, 0, -5_495),
        (0, 10_000, 0, 0, 0),
    ]
    assert page["data"][0]["object"] == "organization.neurons.day"


def test_neuron_days_of_a_project_are_refused(http: httpx2.Client) -> None:
    refused = http.get("/neurons", params={"start_time": DAY, "project_ids": ["proj_1"]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "project_ids")
