"""Counts prompt and completion tokens the way the upstream's meter does. Decides numbers, keeps nothing.

The template arithmetic is written a second time here, independent of the gateway's, so that each is the other's
oracle. Text is counted by a function the caller gives; the estimate below serves where there is no tokenizer.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from gateway.simulator.models import SimulatedModel
from gateway.simulator.tools import written_calls

Count = Callable[[str], int]
Body = dict[str, Any]  # a request body: any JSON object

_WORDS = re.compile(r" ?[^\W\d_]+| ?\d{1,3}|_+| ?[^\w\s]+|\s+")
_LETTERS_PER_TOKEN = 7  # what common English words average in a 128k vocabulary, rounded up

DATE_BLOCK_TOKENS = 20  # "Cutting Knowledge Date …", "Today Date: dd Mon yyyy", blank line
TOOLS_MARK_TOKENS = 5  # "Environment: ipython"
TOOLS_TEXT_TOKENS = 51  # the instruction put before the tool list in the first user message


def pieces(text: str) -> list[str]:
    """Cut text into what a stream carries per token, roughly. Joined, the pieces are the text."""
    return _WORDS.findall(text)


def estimate_tokens(text: str) -> int:
    """Tokens of a text without a tokenizer: words by length, other scripts by character. ±20 % on English."""
    return sum(_piece_tokens(piece) for piece in pieces(text))


def _piece_tokens(piece: str) -> int:
    word = piece.strip()
    if not word.isascii():
        return len(word)
    return max(1, -(-len(word) // _LETTERS_PER_TOKEN))


def gate_estimate(body: Body) -> int:
    """The prompt tokens the admission gate assumes: a quarter of the characters of all content, rounded up."""
    if "messages" in body:
        characters = sum(len(message["content"]) for message in body["messages"])
    else:
        characters = len(body.get("prompt", ""))
    if body.get("tools"):
        characters += len(json.dumps(body["tools"], ensure_ascii=False))
    return -(-characters // 4)


def prompt_tokens(body: Body, model: SimulatedModel, count: Count) -> int:
    """Prompt tokens of a valid request body under the model's chat template."""
    if "messages" not in body:
        if body.get("raw") or body.get("lora"):
            return 1 + count(body["prompt"])
        return _templated([{"role": "user", "content": body["prompt"]}], [], model, count)
    if body.get("raw"):
        return 1 + sum(count(message["content"]) for message in body["messages"])
    return _templated(body["messages"], body.get("tools") or [], model, count)


def _templated(messages: list[Body], tools: list[Body], model: SimulatedModel, count: Count) -> int:
    turns = list(messages)
    total = 1 + 4  # begin of text, header of the answer
    if model.template == "llama3.1":
        total += 4 + DATE_BLOCK_TOKENS + 1  # the system block is written even when nobody sent one
        if turns and turns[0]["role"] == "system":
            total += count(turns.pop(0)["content"].strip())
        total += TOOLS_MARK_TOKENS if tools else 0
    if tools:
        total += TOOLS_TEXT_TOKENS + sum(
            count(json.dumps(tool, indent=4, ensure_ascii=False) + "\n\n") for tool in tools
        )
    return total + sum(_turn_tokens(turn, model, count) for turn in turns)


def _turn_tokens(turn: Body, model: SimulatedModel, count: Count) -> int:
    header = 5 if turn["role"] == "tool" and model.template == "llama3.1" else 4
    text = turn["content"].strip()
    for call in written_calls(turn):
        arguments = call.get("arguments", "")
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        text += f'{{"name": "{call.get("name", "")}", "parameters": {arguments}}}'
    return header + count(text) + 1


def cut_to_tokens(text: str, limit: int, count: Count) -> str:
    """The longest beginning of a text that has at most `limit` tokens, to the character."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    return text[:low]
