"""`make fuzz`: mutates the committed inputs of each parser and keeps those that reach lines no other reached.

`python -m support.fuzzing [TARGET …] [--seconds 20] [--seed N]`. A new input is written to tests/fuzz/corpus, and so is
one that breaks a parser, named `broken-…`: commit it with the fix. Exit 1 where something broke.
"""

import argparse
import hashlib
import logging
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from support.fuzz_targets import TARGETS, Target
from support.sources import ROOT

CORPUS = ROOT / "tests" / "fuzz" / "corpus"
LONGEST = 4096
OURS = str(ROOT / "gateway")
Place = tuple[str, int, int]  # file, line before, line


def inputs(name: str) -> list[Path]:
    """The committed inputs of a target."""
    return sorted((CORPUS / name).iterdir())


def reached(target: Target, data: bytes) -> set[Place]:
    """The steps from line to line of ours that this input takes. Raises what leaves the parser."""
    found: set[Place] = set()

    def enter(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:  # a trace function
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        last = 0

        def step(frame: FrameType, event: str, _: object) -> Callable[..., Any]:  # likewise
            nonlocal last
            if event == "line":
                found.add((frame.f_code.co_filename, last, frame.f_lineno))
                last = frame.f_lineno
            return step

        return step

    sys.settrace(enter)
    try:
        target.try_input(data)
    finally:
        sys.settrace(None)
    return found


def mutate(data: bytes, others: list[bytes], words: tuple[bytes, ...], chance: random.Random) -> bytes:
    """A few changes: bytes flipped, cut, doubled, a word put in, the end of another input put behind."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(changed) + 1)
        to = min(len(changed), at + chance.choice((1, 2, 4, 16, 64)))
        kind = chance.randrange(6)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del changed[at:to]
        elif kind == 2:
            changed[at:at] = changed[at:to] * chance.choice((1, 2, 20))
        elif kind == 3 and words:
            changed[at : at if chance.random() < 0.5 else to] = chance.choice(words)
        elif kind == 4:
            other = chance.choice(others)
            changed[at:] = other[chance.randrange(len(other) + 1) :]
        else:
            changed[at:at] = bytes([chance.choice((0, 9, 10, 13, 32, 34, 92, 127, 128, 195, 226, 255))])
    return bytes(changed[:LONGEST])


def fuzz(name: str, seconds: float, chance: random.Random) -> tuple[int, int, list[str]]:
    """Tries, new inputs, and what broke."""
    target, folder = TARGETS[name], CORPUS / name
    corpus = [file.read_bytes() for file in inputs(name)]
    known: set[Place] = set()
    for data in corpus:
        known |= reached(target, data)
    tries = new = 0
    broken: dict[str, bytes] = {}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        tries += 1
        data = mutate(chance.choice(corpus), corpus, target.words, chance)
        try:
            found = reached(target, data)
        except Exception:
            told = traceback.format_exc().splitlines()
            where = " ".join(line.strip() for line in told[-3:])
            if where not in broken:
                broken[where] = data
                (folder / f"broken-{_digest(data)}").write_bytes(data)
            continue
        if not found <= known:
            known |= found
            corpus.append(data)
            new += 1
            (folder / _digest(data)).write_bytes(data)
    return tries, new, list(broken)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=20.0, help="for each target")
    parser.add_argument("--seed", type=int, default=time.time_ns())
    given = parser.parse_args()
    logging.disable()  # refusals may be logged, each of thousands
    status = 0
    for name in given.targets or TARGETS:
        tries, new, broken = fuzz(name, given.seconds, random.Random(given.seed))
        print(f"{name:14} {tries:7} tries, {new:3} new inputs, {len(broken)} broken", flush=True)
        for where in broken:
            status = 1
            print(f"  {where}")
    return status


if __name__ == "__main__":
    sys.exit(main())
