"""Rules that set switches for calls that carry none: a scenario file or a request to `/simulator/scenario`.

Pure apart from the counters of each rule. A rule that cannot be read is an error that names its place.
"""

from fnmatch import fnmatchcase
from random import Random

import msgspec

from gateway.simulator.models import SimulatedModel
from gateway.simulator.switches import BadSwitch, Settings, resolve


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which calls a rule is for; all conditions must hold. `nth` and `every` count the calls that match so far."""

    model: str = "*"
    stream: bool | None = None
    contains: str = ""
    nth: int | None = None
    every: int | None = None
    chance: float = 1.0


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Switches for the calls that match, at most `times` of them."""

    set: Settings
    match: Match = Match()
    times: int | None = None


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario file: rules, and models beyond or instead of the built-in ones."""

    rules: list[Rule] = []
    models: list[SimulatedModel] = []
    retired: list[str] = []


def parse_scenario(text: bytes | str) -> Scenario:
    """A scenario from YAML or JSON. Raises BadSwitch with the place of the mistake."""
    try:
        scenario = msgspec.yaml.decode(text, type=Scenario)
    except msgspec.DecodeError as trouble:
        raise BadSwitch(f"scenario: {trouble}") from trouble
    for rule in scenario.rules:
        resolve(rule.set)
    return scenario


class Rules:
    """The rules in force and how often each has matched and fired."""

    def __init__(self, rules: list[Rule], random: Random) -> None:
        self.rules = rules
        self._random = random
        self._matched = [0] * len(rules)
        self._fired = [0] * len(rules)

    def settings(self, model: str, text: str, *, stream: bool) -> Settings:
        """The switches for one call; later rules win."""
        settings: Settings = {}
        for index, rule in enumerate(self.rules):
            if self._fires(index, rule, model, text, stream=stream):
                settings.update(rule.set)
        return settings

    def _fires(self, index: int, rule: Rule, model: str, text: str, *, stream: bool) -> bool:
        match = rule.match
        if not fnmatchcase(model, match.model) or match.contains not in text:
            return False
        if match.stream is not None and match.stream != stream:
            return False
        self._matched[index] += 1
        number = self._matched[index]
        if match.nth is not None and number != match.nth:
            return False
        if match.every is not None and number % match.every:
            return False
        if rule.times is not None and self._fired[index] >= rule.times:
            return False
        if match.chance < 1 and self._random.random() >= match.chance:
            return False
        self._fired[index] += 1
        return True
