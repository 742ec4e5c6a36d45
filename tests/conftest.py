"""What every test needs: one hypothesis profile, without wall-clock deadlines (speed lives in benchmarks/).

And one store for all tests of whole workers; each worker takes a prefix of its own. The long suites come first, so that
none of them begins when the others are done; those that look at the product from outside are not measured for coverage,
which would cost a third of their time: what they run is covered by the tests of its modules.
"""

import os
from collections.abc import Generator, Iterator

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings
from support.clock import begin_within_day
from support.valkey import throw_away_store

settings.register_profile("gateway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gateway")

_LONG = ("faults", "e2e", "supervise", "cli")
_FROM_OUTSIDE = ("faults", "e2e")
_MEASURES_PROCESSES = "COVERAGE_PROCESS_CONFIG"  # how coverage tells the processes that a test starts


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """By suite, the long ones first; within a suite as they were."""
    order = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: order.get(_suite(item), len(order)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure or not, the processes of the test included."""
    measured = Coverage.current()
    if measured is None or _suite(item) not in _FROM_OUTSIDE:
        return (yield)
    told = os.environ.pop(_MEASURES_PROCESSES, None)
    measured.stop()
    try:
        return (yield)
    finally:
        measured.start()
        if told is not None:
            os.environ[_MEASURES_PROCESSES] = told


def _suite(item: pytest.Item) -> str:
    return item.path.parent.name


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    with throw_away_store() as store:
        yield store.url


@pytest.fixture
def one_day() -> None:
    """For tests that say "today": the UTC day does not end before them."""
    begin_within_day(120)
