"""Answers like a small, polite language model: a table of patterns and, for the rest, plausible prose.

Deterministic: the same words get the same answer. Decides text only; cutting it to max_tokens is done elsewhere.
"""

import re
from collections.abc import Callable

MAX_COUNT = 2000

Answer = Callable[[re.Match[str]], str]

_CAPITALS = {
    "austria": "Vienna", "brazil": "Brasília", "canada": "Ottawa", "china": "Beijing", "france": "Paris",
    "germany": "Berlin", "india": "New Delhi", "italy": "Rome", "japan": "Tokyo", "poland": "Warsaw",
    "portugal": "Lisbon", "spain": "Madrid", "sweden": "Stockholm", "switzerland": "Bern",
    "united kingdom": "London", "united states": "Washington, D.C.",
}  # fmt: skip

_SENTENCES = (
    "The short answer is that {topic} is easier to understand when you look at one part at a time.",
    "It usually starts with a small, concrete case that can be checked by hand.",
    "From there, the general idea behind {topic} follows from what stays the same when the details change.",
    "People who work with it every day tend to rely on a few simple rules and one good example.",
    "A common mistake is to skip the measurements and to argue about opinions instead.",
    "If you keep notes on what you tried, patterns appear sooner than you would expect.",
    "There are exceptions, of course, and they are often more instructive than the rule.",
    "In practice, time and cost decide which approach to {topic} is chosen.",
    "It also helps to ask what would have to be true for the opposite to work.",
    "Once the basics are in place, improving on them is mostly patience.",
)
_STOP_WORDS_TEXT = (
    "a about again all an and any are as at be but by can could do does explain for from give had has "
    "have how i in is it its just let like make me my of on one or our please should so some tell that "
    "the their them there these they this to us was we what when where which who why will with would "
    "write you your "
)
_STOP_WORDS = frozenset(_STOP_WORDS_TEXT.split())


def topic_of(prompt: str) -> str:
    """The few words a prompt is about."""
    words = [word for word in re.findall(r"[^\W_]+(?:['-][^\W_]+)*", prompt) if word.lower() not in _STOP_WORDS]
    return " ".join(words[:5]) or "this"


def prose(topic: str, sentences: int) -> str:
    """So many sentences about a topic."""
    lines = [_SENTENCES[index % len(_SENTENCES)].format(topic=topic) for index in range(sentences)]
    return " ".join(lines)


def reply(prompt: str) -> str:
    """What the model says to the last user message."""
    for pattern, answer in _ANSWERS:
        match = pattern.search(prompt)
        if match:
            return answer(match)
    return _about(prompt)


def reply_to_tool(name: str, content: str) -> str:
    """What the model says once a tool has answered."""
    facts = content.strip() or "nothing"
    return f"According to {name or 'the tool'}, the answer is: {facts}"


def _about(prompt: str) -> str:
    topic = topic_of(prompt)
    if re.search(r"\b(essay|story|article|long|detail|detailed|everything)\b", prompt, re.IGNORECASE):
        return prose(topic, 40)
    opening = "Good question. " if prompt.rstrip().endswith("?") else f"Here is something about {topic}. "
    return opening + prose(topic, 3)


def _count(match: re.Match[str]) -> str:
    first, last = int(match["first"] or 1), int(match["last"])
    step = 1 if last >= first else -1
    numbers = list(range(first, last + step, step))[:MAX_COUNT]
    return ", ".join(map(str, numbers))


def _calculate(match: re.Match[str]) -> str:
    left, sign, right = int(match["left"]), match["sign"], int(match["right"])
    if sign in "/÷":
        return "That is not defined." if right == 0 else f"{left / right:g}"
    results = {"+": left + right, "-": left - right, "*": left * right, "x": left * right, "×": left * right}
    return str(results[sign])


def _capital(match: re.Match[str]) -> str:
    country = match["country"].strip().removeprefix("the ")
    city = _CAPITALS.get(country.lower())
    return f"The capital of {country} is {city}." if city else f"I am not sure what the capital of {country} is."


def _summary(match: re.Match[str]) -> str:
    text = match["text"].strip()
    first = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    return f"In short: {first[:400]}"


def _list(match: re.Match[str]) -> str:
    topic = match["topic"].strip(" .?!:") or "this"
    ordinals = ("first", "second", "third", "next", "further")
    count = min(int(match["count"]), 100)
    lines = (f"{number}. A {ordinals[min(number, 5) - 1]} thought on {topic}" for number in range(1, count + 1))
    return "\n".join(lines)


def _sentences(match: re.Match[str]) -> str:
    return prose(match["topic"].strip(" .?!") or "this", min(int(match["count"]), 500))


def _said(text: str) -> Answer:
    return lambda _match: text


def _table(*rows: tuple[str, Answer]) -> tuple[tuple[re.Pattern[str], Answer], ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), answer) for pattern, answer in rows)


_ANSWERS = _table(
    (r"\bsingle word:?\s*[\"'“]?(?P<word>[^\s\"'”.!?]+)", lambda match: match["word"]),
    (r"(?:reply|answer|respond|say)\b[^.?!\n]{0,20}\b(?:only|just|exactly)(?: with)?:?\s*[\"'“]?"
     r"(?P<word>[^\s\"'”.!?]+)", lambda match: match["word"]),
    (r"^\s*(?:repeat after me|repeat|echo|say)[:,]?\s+[\"'“]?(?P<text>.+?)[\"'”]?\s*$", lambda match: match["text"]),
    (r"\bcount\b[^.?!\n]{0,40}?(?:\bfrom (?P<first>-?\d{1,6}) )?\b(?:up |down )?to (?P<last>-?\d{1,6})", _count),
    (r"(?P<left>\d{1,12})\s*(?P<sign>[-+*x×/÷])\s*(?P<right>\d{1,12})", _calculate),
    (r"\bcapital (?:city )?of (?P<country>[^?.!\n]+)", _capital),
    (r"\bsummari[sz]e\b[^:\n]*:?\s*(?P<text>\S[\s\S]+)", _summary),
    (r"\b(?P<count>\d{1,3}) sentences?(?: about| on)?(?P<topic>[^\n]*)", _sentences),
    (r"\b(?:list|name|give me)\s+(?P<count>\d{1,3})\s+(?P<topic>[^\n]+)", _list),
    (r"^\s*(?:thanks|thank you)\b", _said("You're welcome! Is there anything else I can help you with?")),
    (r"^\s*(?:bye|goodbye|see you)\b", _said("Goodbye! Have a nice day.")),
    (r"\bwho are you\b|\bwhat are you\b",
     _said("I am a simulated Llama model. I run on your own machine, so my answers cost nothing and know little.")),
    (r"^\W*(?:hi|hello|hey|good (?:morning|afternoon|evening))\b[^?]*$", _said("Hello! How can I assist you today?")),
    (r"^\s*(?:test|testing|ping)\W*$", _said("pong")),
    (r"^\s*$", _said("I did not get a message. What can I do for you?")),
)  # fmt: skip
