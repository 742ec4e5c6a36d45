"""YAML text → nodes that know their lines, and what every reader of nodes shares: variables, problems, secrets.

Values are not converted here: a number stays the text it was written as until its key says what it is, so no price
ever passes through a float. Variables are expanded in values, never in keys; text that came from a variable is never
repeated in a message.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from gateway.config.problems import ConfigErrors, ConfigProblem, joined

Node = yaml.Node
ScalarNode = yaml.ScalarNode
SequenceNode = yaml.SequenceNode

_STANDARD_TAG = "tag:yaml.org,2002:"
# In turn: $${ (a literal ${), ${NAME} or ${NAME:-default}, and a ${ that is neither.
_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{")


def compose(text: str) -> Node | None:
    """The document's root, None where it is empty. Raises ConfigErrors for what is not one YAML document."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise ConfigErrors([ConfigProblem("", line, f"not valid YAML: {error.problem or error.context}")]) from error
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        # The last three: nesting deeper than the stack, and escapes of characters that do not exist.
        raise ConfigErrors([ConfigProblem("", None, f"not valid YAML: {type(error).__name__}")]) from error


@dataclass(slots=True)
class Reading:
    """One pass over a document: where it stands, what came from where, and what has been found wrong so far."""

    environ: Mapping[str, str]
    base: Path
    read_secret: Callable[[Path], str] | None = None
    problems: list[ConfigProblem] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    variables: dict[str, list[str]] = field(default_factory=dict)  # path → names of the variables in its value

    def refuse(self, path: str, message: str, suggestion: str = "") -> None:
        """Note a problem at `path`, on the line where the path, or the nearest thing around it, was read."""
        self.problems.append(ConfigProblem(path, self._line(path), message, suggestion))

    def has_refused(self, path: str) -> bool:
        """Whether a problem is noted at `path` already, so that what follows from it need not be."""
        return any(problem.path == path for problem in self.problems)

    def absolute(self, given: str) -> Path:
        """A path of the configuration, from `base` on, without `..`; `~/` is the home the environment names."""
        home = self.environ.get("HOME", "")
        if given.startswith("~/") and home:
            given = posixpath.join(home, given[2:])
        return Path(posixpath.normpath(self.base / given))

    def entries(self, node: Node, path: str) -> Iterator[tuple[str, Node]]:
        """Keys and values of a mapping. Empty counts as an empty mapping: all below it may be commented out."""
        if is_null(node):
            return
        if not isinstance(node, yaml.MappingNode):
            self.refuse(path, f"must be a mapping of names to values, not {described(node)}")
            return
        seen: dict[str, int] = {}
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(ConfigProblem(path, line, "a key must be text"))
                continue
            key = str(key_node.value)
            if key in seen:
                message = f"given twice, first on line {seen[key]}"
                self.problems.append(ConfigProblem(joined(path, key), line, message))
                continue
            seen[key] = line
            self.lines[joined(path, key)] = line
            yield key, value

    def items(self, node: Node, path: str) -> Iterator[tuple[str, Node]]:
        """Paths and values of a list."""
        if not isinstance(node, yaml.SequenceNode):
            self.refuse(path, f"must be a list, not {described(node)}")
            return
        for index, item in enumerate(node.value):
            below = joined(path, index)
            self.lines[below] = item.start_mark.line + 1
            yield below, item

    def expanded(self, node: ScalarNode, path: str) -> str | None:
        """The scalar's text with variables filled in; None, and a problem noted, where one is not set."""
        missing: list[str] = []

        def value_of(match: re.Match[str]) -> str:
            name, default = match.groups()
            if match[0] == "$${":
                return "${"
            if name is None:
                missing.append("has a ${ that is no ${NAME} or ${NAME:-default}; write $${ for the characters")
                return ""
            self.variables.setdefault(path, []).append(name)
            found = self.environ.get(name, "")
            if not found and default is None and name not in self.environ:
                missing.append(f"the environment variable {name} is not set")
            return found or default or ""

        text = _VARIABLE.sub(value_of, node.value)
        for message in missing:
            self.refuse(path, message)
        return None if missing else text

    def _line(self, path: str) -> int | None:
        known = [at for at in self.lines if path == at or path.startswith((f"{at}.", f"{at}["))]
        return self.lines[max(known, key=len)] if known else None


def is_null(node: Node) -> bool:
    """Whether a node is YAML's null: nothing at all, `~` or `null`."""
    return isinstance(node, yaml.ScalarNode) and node.tag == f"{_STANDARD_TAG}null"


def described(node: Node) -> str:
    """What a node is, in words."""
    if not node.tag.startswith(_STANDARD_TAG):
        return f"something tagged {node.tag[:40]}"
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "nothing" if is_null(node) else "text"


def is_tagged(node: Node) -> bool:
    """Whether a node carries a tag of its own (`!vault …`), which means nothing here."""
    return not node.tag.startswith(_STANDARD_TAG)
