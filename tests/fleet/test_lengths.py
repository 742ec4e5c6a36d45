"""Expected lengths are believed after enough answers, and where others have seen more, theirs are."""

from dataclasses import replace

from gateway.core.eligibility import Sample
from gateway.fleet.lengths import FEWEST_SAMPLES, MOST_KEYS, OutputLengths

SAMPLE = Sample("key", "auto", "m", output_tokens=100, first_token_seconds=0.5, total_seconds=2.5)


def test_output_lengths_are_believed_from_enough_samples_on_per_route() -> None:
    lengths = OutputLengths()
    assert lengths.of("key") is None
    for number in range(FEWEST_SAMPLES - 1):
        lengths.observe(replace(SAMPLE, output_tokens=30 + number % 2 * 20))
    assert lengths.of("key") == {}
    lengths.observe(replace(SAMPLE, output_tokens=50))
    assert lengths.of("key") == {"auto": 40}


def test_output_lengths_follow_a_change_of_habit() -> None:
    lengths = OutputLengths()
    for _ in range(100):
        lengths.observe(replace(SAMPLE, output_tokens=10))
    for _ in range(200):
        lengths.observe(replace(SAMPLE, output_tokens=1000))
    assert 900 < (lengths.of("key") or {})["auto"] < 1000


def test_output_lengths_are_remembered_for_the_latest_keys_only() -> None:
    lengths = OutputLengths()
    for number in range(MOST_KEYS + 1):
        lengths.observe(replace(SAMPLE, key_id=f"key{number}"))
    assert lengths.of("key0") is None
    assert lengths.of("key1") is not None


def test_output_lengths_of_empty_answers_are_one_at_least() -> None:
    lengths = OutputLengths()
    for _ in range(FEWEST_SAMPLES):
        lengths.observe(replace(SAMPLE, output_tokens=0))
    assert lengths.of("key") == {"auto": 1}


def test_adopt_believes_who_has_seen_more() -> None:
    lengths = OutputLengths()
    lengths.observe(SAMPLE)
    lengths.adopt("key", {"auto": (FEWEST_SAMPLES, 40.4), "other": (3, 7.0)})
    assert lengths.of("key") == {"auto": 40}
    lengths.adopt("key", {"auto": (FEWEST_SAMPLES - 1, 900.0)})
    assert lengths.seen("key") == {"auto": (FEWEST_SAMPLES, 40.4), "other": (3, 7.0)}


def test_unknown_keys_are_asked_about_once_and_changed_ones_told() -> None:
    lengths = OutputLengths()
    assert lengths.of("new") is None
    assert (lengths.unknown, lengths.changed) == ({"new"}, set())
    lengths.adopt("new", {})
    lengths.unknown.clear()
    assert lengths.of("new") == {}
    assert lengths.unknown == set()
    lengths.observe(SAMPLE)
    assert lengths.changed == {"key"}
