"""Frames: whole entries come back, whatever a crash left behind them does not."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.frames import HEAD_BYTES, decode_frames, encode_frame

payloads = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


@given(payloads, st.integers(0, 60))
def test_decode_frames_followed_by_zeros_gives_all_entries(bodies: list[bytes], zeros: int) -> None:
    data = b"".join(encode_frame(number, body) for number, body in enumerate(bodies, 1)) + bytes(zeros)
    assert list(decode_frames(data)) == list(enumerate(bodies, 1))


@given(payloads.filter(bool), st.booleans())
def test_decode_frames_cut_at_every_byte_gives_the_whole_ones_before(
    bodies: list[bytes], is_preallocated: bool
) -> None:
    frames = [encode_frame(number, body) for number, body in enumerate(bodies, 1)]
    data = b"".join(frames)
    for cut in range(len(data)):
        whole, end = 0, 0
        while whole < len(frames) and end + len(frames[whole]) <= cut:
            end += len(frames[whole])
            whole += 1
        torn = data[:cut] + (bytes(len(data) - cut) if is_preallocated else b"")
        found = list(decode_frames(torn))
        # A frame whose missing bytes were zeros anyway is whole.
        assert found[:whole] == list(enumerate(bodies[:whole], 1))
        assert len(found) == whole or data[cut:].startswith(bytes(len(b"".join(frames[: len(found)])) - cut))


@given(st.binary(max_size=200))
def test_decode_frames_of_noise_ends(noise: bytes) -> None:
    assert all(number >= 0 for number, _ in decode_frames(noise))


@given(st.binary(min_size=1, max_size=30), st.data())
def test_decode_frames_with_any_flipped_bit_drops_the_entry(body: bytes, data: st.DataObject) -> None:
    frame = bytearray(encode_frame(7, body))
    bit = data.draw(st.integers(0, len(frame) * 8 - 1))
    frame[bit // 8] ^= 1 << bit % 8
    assert list(decode_frames(bytes(frame))) == []
    assert HEAD_BYTES == 16
