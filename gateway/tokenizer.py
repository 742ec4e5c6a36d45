"""Counts tokens the way Llama 3 does: exactly with its vocabulary, else by a calibrated estimate that says it is one.

Text is always plain text here: what looks like a special token is counted as the characters it is made of. Nothing of
`llama_models` is imported: its package is the vehicle of one data file.
"""

import re
from binascii import a2b_base64
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

_VOCABULARY_PACKAGE = "llama_models"
_VOCABULARY_FILE = "llama3/tokenizer.model"

_SPLIT_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Llama 3 cuts text into words before merging bytes; published with the model."""

PIECE_CHARS = 100_000
"""The longest text given to the vocabulary's regex at once: on a run of a million blanks it overflows its stack."""

THREAD_CHARS = 65_536
"""From here on counting takes over 1.5 ms (23 µs per 1,000 characters measured): callers in an event loop move it to
a worker thread."""

_MEMORY_FROM_CHARS = 256
"""Texts from this length on are remembered: a hit costs 0.4 µs, counting 256 characters 6 µs."""

_MEMORY_ENTRIES = 2_048

# A place where no word of the pattern above reaches across: before the blank that opens a word.
_word_start = re.compile(r"(?<=[^\s])(?= [^\W\d_])")


class Tokenizer(Protocol):
    """`name` says what counts; `is_exact` whether it is the model's own vocabulary."""

    @property
    def name(self) -> str: ...
    @property
    def is_exact(self) -> bool: ...
    def count(self, text: str) -> int: ...
    def count_many(self, texts: Iterable[str]) -> int: ...


class VocabularyTokenizer:
    """Exact counts. `encode` gives the tokens of a text without looking for special ones. Safe to use from threads."""

    name = "llama3"
    is_exact = True

    def __init__(self, encode: Callable[[str], list[int]], piece_chars: int = PIECE_CHARS) -> None:
        self.encode = encode
        self._piece_chars = piece_chars
        # Two generations instead of an ordered one: a full one becomes the old one, so no entry is ever moved and no
        # lock is needed. Keys are hashes: prompts are not kept in memory.
        self._young: dict[tuple[int, int], int] = {}
        self._old: dict[tuple[int, int], int] = {}

    def count(self, text: str) -> int:
        """Tokens of `text`, as plain text."""
        size = len(text)
        if size < _MEMORY_FROM_CHARS:
            return len(self.encode(text))
        key = (hash(text), size)
        known = self._young.get(key)
        if known is None:
            known = self._old.get(key)
            if known is None:
                known = self._count_pieces(text)
            self._remember(key, known)
        return known

    def count_many(self, texts: Iterable[str]) -> int:
        """Tokens of all texts together, each counted by itself."""
        return sum(map(self.count, texts))

    def _remember(self, key: tuple[int, int], count: int) -> None:
        if len(self._young) >= _MEMORY_ENTRIES:
            self._old, self._young = self._young, {}
        self._young[key] = count

    def _count_pieces(self, text: str) -> int:
        if len(text) <= self._piece_chars:
            return self._count_piece(text)
        return sum(map(self._count_piece, split_text(text, self._piece_chars)))

    def _count_piece(self, text: str) -> int:
        try:
            return len(self.encode(text))
        except BaseException as error:
            # A panic in Rust arrives as a BaseException of a class that cannot be imported.
            if type(error).__name__ != "PanicException":
                raise
            return estimate_tokens(text)


class EstimatingTokenizer:
    """Estimates, where the vocabulary is absent."""

    name = "estimate"
    is_exact = False

    def count(self, text: str) -> int:
        """About how many tokens `text` has; see `estimate_tokens`."""
        return estimate_tokens(text)

    def count_many(self, texts: Iterable[str]) -> int:
        """The sum over all texts."""
        return sum(map(estimate_tokens, texts))


# What one character, or one run of them, costs on average. Calibrated with the vocabulary on one paragraph of news in
# each of 18 languages, on English prose, Python, JSON and hexadecimal digests; tests/test_tokenizer.py holds the
# paragraphs. Per run: a first token and a further one per so many characters.
_latin_word = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+")
_accented = re.compile("[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]")
_ENGLISH_CHARS_PER_TOKEN = 9
_ACCENTED_CHARS_PER_TOKEN = 4  # any other language in Latin letters: its words are known in pieces
_RUNS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"[0-9]+"), 3),
    (re.compile(r"[!-/:-@\[-`{-~]+"), 3),
    (re.compile(r"\n\s*"), 40),
)
_CHARACTERS: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile("[\u0370-\u03ff]"), 0.42),  # Greek
    (re.compile("[\u0400-\u052f]"), 0.33),  # Cyrillic
    (re.compile("[\u0590-\u05ff]"), 1.15),  # Hebrew
    (re.compile("[\u0600-\u06ff]"), 0.42),  # Arabic
    (re.compile("[\u0900-\u097f]"), 0.64),  # Devanagari
    (re.compile("[\u0e00-\u0e7f]"), 0.52),  # Thai
    (re.compile("[\u3000-\u30ff]"), 0.82),  # Japanese syllables, East Asian punctuation
    (re.compile("[\u3400-\u9fff\uff00-\uffef]"), 0.85),  # Chinese characters
    (re.compile("[\uac00-\ud7af]"), 0.76),  # Korean syllables
    (
        re.compile(
            "[^\0-\x7f\u00c0-\u024f\u0370-\u052f\u0590-\u06ff\u0900-\u097f\u0e00-\u0e7f"
            "\u1e00-\u1eff\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]"
        ),
        1.6,  # everything else is seldom in the vocabulary and falls apart into bytes
    ),
)


def estimate_tokens(text: str) -> int:
    """About how many Llama 3 tokens a text has: within 25 % on the calibration texts. Random letters count half."""
    is_accented = not text.isascii() and 100 * len(_accented.findall(text)) > len(text)
    word_chars = _ACCENTED_CHARS_PER_TOKEN if is_accented else _ENGLISH_CHARS_PER_TOKEN
    tokens = float(_count_runs(_latin_word, word_chars, text))
    for pattern, run_chars in _RUNS:
        tokens += _count_runs(pattern, run_chars, text)
    if not text.isascii():
        for pattern, per_character in _CHARACTERS:
            tokens += per_character * len(pattern.findall(text))
    # Text of blanks only: they are merged up to 128 at a time.
    return max(int(tokens), 1 + len(text) // 128) if text else 0


def _count_runs(pattern: re.Pattern[str], run_chars: int, text: str) -> int:
    return sum(1 + (len(run) - 1) // run_chars for run in pattern.findall(text))


def split_text(text: str, piece_chars: int) -> list[str]:
    """Pieces of at most `piece_chars` whose tokens add up to the text's, where it has blanks between words at all."""
    pieces: list[str] = []
    start = 0
    while len(text) - start > piece_chars:
        end = start + piece_chars
        window = max(start + 1, end - 1_000)
        for place in _word_start.finditer(text, window, end):
            end = place.start()
        pieces.append(text[start:end])
        start = end
    pieces.append(text[start:])
    return pieces


def load_tokenizer(path: Path | None = None) -> Tokenizer:
    """The exact tokenizer from `path` or the installed vocabulary, the estimating one where there is none.

    Takes 0.14 s, once in a process. Raises OSError where `path` is given and cannot be read, ValueError where it is no
    vocabulary or tiktoken, which is needed to use it, is not installed.
    """
    if path is not None:
        return VocabularyTokenizer(read_vocabulary(path))
    installed = _maybe_installed_vocabulary()
    if installed is None:
        return EstimatingTokenizer()
    try:
        return VocabularyTokenizer(read_vocabulary(installed))
    except ValueError:
        return EstimatingTokenizer()


def _maybe_installed_vocabulary() -> Path | None:
    package = find_spec(_VOCABULARY_PACKAGE)  # of a top-level name: finds it without importing it
    folders = (package.submodule_search_locations or ()) if package is not None else ()
    found = (Path(folder) / _VOCABULARY_FILE for folder in folders)
    return next((path for path in found if path.is_file()), None)


@lru_cache(maxsize=1)
def read_vocabulary(path: Path) -> Callable[[str], list[int]]:
    """The encoding of a vocabulary file. Kept: every gateway of a process shares it."""
    parts = path.read_bytes().split()
    try:
        ranks = dict(zip(map(a2b_base64, parts[::2]), map(int, parts[1::2]), strict=True))
    except ValueError as error:
        raise ValueError(f"{path} is not a tokenizer vocabulary: lines of base64, a blank and a number") from error
    if not ranks:
        raise ValueError(f"{path} is an empty vocabulary")
    try:
        tiktoken = import_module("tiktoken")  # optional, so it cannot stand at the top
    except ImportError as error:
        raise ValueError("the package tiktoken is not installed: install the extra `tokenizer`") from error
    encoding = tiktoken.Encoding("llama3", pat_str=_SPLIT_WORDS, mergeable_ranks=ranks, special_tokens={})
    ranks.clear()  # the encoder has its own copy; this one would be 13 MB in every worker
    encode: Callable[[str], list[int]] = encoding.encode_ordinary
    return encode
