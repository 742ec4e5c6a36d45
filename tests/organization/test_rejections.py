"""Failed admin authentications: all are counted, few are told."""

import logging

import pytest
from support.clock import Clock

from gateway.organization.rejections import Rejections


def test_rejections_are_counted_each_and_told_every_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[int] = []
    clock = Clock(100.0)
    rejections = Rejections(lambda: counted.append(1), clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            rejections.note("192.0.2.7", "/v1/organization/projects")
        clock.now += 10.0
        rejections.note("", "/v1/organization/projects")
    assert len(counted) == 51
    assert [record.getMessage() for record in caplog.records] == [
        "admin authentication failed: /v1/organization/projects from 192.0.2.7",
        "admin authentication failed: /v1/organization/projects from unknown (50 since the last such line)",
    ]
