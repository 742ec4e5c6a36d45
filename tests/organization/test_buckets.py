"""Which buckets a query asks for, at any start, end and limit."""

from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.rollups import SECONDS, Width
from gateway.organization.buckets import Report, read_question
from gateway.organization.parameters import Query

REPORT = Report({"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)}, ("project_id", "model", "batch"), "models")


def ask(**parameters: object) -> Query:
    return Query(urlencode(parameters, doseq=True).encode())


@given(
    start=st.integers(0, 2 * 10**9),
    length=st.integers(1, 40 * 86400),
    width=st.sampled_from(["1m", "1h", "1d"]),
    limit=st.integers(1, 31),
)
def test_read_question_pages_cover_the_range_once(start: int, length: int, width: Width, limit: int) -> None:
    end, seconds = start + length, SECONDS[width]
    expected = start - start % seconds
    page: dict[str, object] = {}
    for _ in range(5):
        asked = read_question(
            ask(start_time=start, end_time=end, bucket_width=width, limit=limit, **page), REPORT, now=0
        )
        bounds = asked.usage.bounds()
        assert bounds[0] == expected
        assert len(bounds) - 1 <= limit
        expected = bounds[-1]
        if asked.next_page is None:
            assert bounds[-1] >= end > bounds[-2]
            return
        assert bounds[-1] < end
        page = {"page": asked.next_page}


def test_read_question_without_end_reaches_into_now() -> None:
    asked = read_question(ask(start_time=86400 * 3), REPORT, now=86400 * 5)
    assert asked.usage.bounds()[-1] == 86400 * 6


def test_read_question_repeated_and_single_valued_groups_split_once() -> None:
    asked = read_question(ask(start_time=1, group_by=["model", "batch", "model"]), REPORT, now=9)
    assert asked.usage.group_by == ("model",)
    assert asked.group_by == {"model", "batch"}
