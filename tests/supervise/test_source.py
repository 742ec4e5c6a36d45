"""Files that change while somebody watches: in place, by rename, by a swapped link, and half-written."""

import os
from pathlib import Path

from gateway.supervise.source import Watch


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _looks(watch: Watch, clock: Clock, times: int = 3) -> list[bool]:
    found = []
    for _ in range(times):
        clock.now += 1
        found.append(watch.has_settled_anew())
    return found


def _watched(file: Path) -> tuple[Watch, Clock]:
    clock = Clock()
    return Watch([file], clock), clock


def test_watch_of_an_untouched_file_stays_calm(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a")
    watch, clock = _watched(tmp_path / "c")
    assert _looks(watch, clock) == [False] * 3


def test_watch_tells_a_change_once_and_when_it_has_settled(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a")
    watch, clock = _watched(tmp_path / "c")
    (tmp_path / "c").write_text("ab")
    clock.now += 1
    assert not watch.has_settled_anew()  # it may still be being written
    (tmp_path / "c").write_text("abc")
    assert _looks(watch, clock, 4) == [False, True, False, False]


def test_watch_sees_an_atomic_rename(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a")
    watch, clock = _watched(tmp_path / "c")
    (tmp_path / "new").write_text("b")
    os.utime(tmp_path / "new", ns=(0, (tmp_path / "c").stat().st_mtime_ns))  # same size, same time
    (tmp_path / "new").rename(tmp_path / "c")
    assert _looks(watch, clock) == [False, True, False]


def test_watch_sees_a_swapped_link_as_kubernetes_swaps_it(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "config.yaml").write_text(version)
    (tmp_path / "data").symlink_to("v1")
    (tmp_path / "config.yaml").symlink_to("data/config.yaml")
    watch, clock = _watched(tmp_path / "config.yaml")
    (tmp_path / "fresh").symlink_to("v2")
    (tmp_path / "fresh").rename(tmp_path / "data")
    assert _looks(watch, clock) == [False, True, False]


def test_watch_waits_for_a_file_that_is_away_and_forgets_it_if_it_comes_back_the_same(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a")
    watch, clock = _watched(tmp_path / "c")
    (tmp_path / "c").rename(tmp_path / "aside")
    assert _looks(watch, clock) == [False] * 3
    (tmp_path / "aside").rename(tmp_path / "c")
    assert _looks(watch, clock) == [False] * 3


def test_watch_looks_only_now_and_then(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a")
    watch, clock = _watched(tmp_path / "c")
    (tmp_path / "c").write_text("ab")
    clock.now += 0.1
    assert [watch.has_settled_anew() for _ in range(3)] == [False] * 3
