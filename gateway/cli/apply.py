"""`gateway apply`: makes projects, keys and limits what a file under version control says. Idempotent.

Prints the difference, then does it through the admin API, so that every change is in the audit. Ends nothing unless
asked to. Secrets of new keys are shown once, or written into a file of mode 0600.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.configuration_file import AsJson
from gateway.cli.connection import Connection
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.option_group import grouped
from gateway.cli.output import print_json, print_line, print_note
from gateway.cli.session import Yes, account_named, accounts_path, confirm, connect, keys_path
from gateway.cli.team_plan import Action, Step, make_plan
from gateway.cli.team_state import State, read_state
from gateway.cli.views import IssuedKey, Project
from gateway.config.document import Reading
from gateway.config.problems import ConfigErrors
from gateway.config.teams import LimitName, Teams, read_teams

_SIGNS: Final = {"add": "+", "change": "~", "end": "-"}
_MONTHLY: Final = ("money", "month", "")
_NANO_PER_CENT = 10**7


@dataclass(frozen=True)
class ApplyOptions:
    """What `gateway apply` is told."""

    file: Annotated[Path, typer.Argument(help="The file of teams, e.g. teams.yaml.")]
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the difference, change nothing.")] = False
    prune: Annotated[
        bool, typer.Option("--prune", help="Archive projects and revoke keys that the file does not name.")
    ] = False
    secrets_file: Annotated[
        Path | None, typer.Option("--secrets", help="Write the secrets of new keys into this new file, not to stdout.")
    ] = None
    yes: Yes = False
    as_json: AsJson = False


class StepLine(msgspec.Struct):
    """One step, for `--json`: `set` and `limits` are what the admin API is sent; no project is the organisation."""

    action: Action
    project: str | None
    key: str | None
    set: dict[str, object]
    limits: list[dict[str, object]]
    lines: tuple[str, ...]


class IssuedSecret(msgspec.Struct):
    """The secret of a new key."""

    project: str
    key: str
    secret: str


class Report(msgspec.Struct):
    """What `--json` prints: of `steps`, in their order, the first `done` were done."""

    dry_run: bool
    steps: list[StepLine]
    left_alone: list[StepLine]
    done: int = 0
    secrets: list[IssuedSecret] = []


def apply_file(context: typer.Context, options: ApplyOptions) -> None:
    """Make projects, keys, limits and rules what the file says. Doing it twice changes nothing."""
    teams = read_file(options.file)
    with connect(context) as connection:
        state = read_state(connection, frozenset(teams.projects))
        plan = make_plan(teams, state)
        steps = plan.steps + (plan.unnamed if options.prune else ())
        left_alone = () if options.prune else plan.unnamed
        report = Report(options.dry_run, [*map(_line, steps)], [*map(_line, left_alone)])
        if not options.as_json:
            _tell(steps, left_alone, options.file)
        try:
            if not options.dry_run and steps:
                _perform(steps, options, Execution(connection, state, report))
        finally:  # what was made before a step was refused is not lost
            if options.as_json:
                print_json(report)
    if report.done and not options.as_json:
        print_note(f"Done: {_count(steps)}.")


apply_teams = grouped(apply_file, ApplyOptions)


def _tell(steps: Sequence[Step], left_alone: Sequence[Step], file: Path) -> None:
    for step in steps:
        print_step(step)
    if left_alone:
        print_note(f"Not in {file}, left alone: {', '.join(step.subject for step in left_alone)}.")
    if not steps:
        print_note("Everything is as the file says.")


def _perform(steps: Sequence[Step], options: ApplyOptions, execution: "Execution") -> None:
    ended = [step.subject for step in steps if step.action == "end"]
    if ended:
        confirm(f"End {', '.join(ended)}, for good?", options.yes)
    if any(step.action == "add" and step.key for step in steps):
        execution.secrets = Secrets(options.secrets_file, is_collected=options.as_json)
    execution.perform(steps)


def read_file(file: Path) -> Teams:
    """What the file says. Raises CommandFailed with every mistake in it."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CommandFailed(f"Cannot read {file}: {reason}.", ExitCode.USAGE) from error
    try:
        return read_teams(text, Reading(os.environ, file.absolute().parent))
    except ConfigErrors as errors:
        listed = "\n".join(f"  {problem}" for problem in errors.problems)
        raise CommandFailed(
            f"{file} is not valid:\n{listed}", ExitCode.USAGE, "docs/teams.md explains every key."
        ) from errors


def print_step(step: Step) -> None:
    """A line for the step, and one for each thing in it."""
    print_line(f"{_SIGNS[step.action]} {step.subject}")
    for line in step.lines:
        print_line(f"    {line}")


class Secrets:
    """Where secrets of new keys go, each as soon as there is one: a new file nobody else can read, else stdout.

    Those for stdout are collected instead where they go into a report.
    """

    def __init__(self, file: Path | None, *, is_collected: bool = False) -> None:
        self.collected: list[IssuedSecret] = []
        self._file = file
        self._is_collected = is_collected
        if file is None:
            return
        try:
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError as error:
            raise CommandFailed(f"{file} is there already.", ExitCode.USAGE, "Name a new file.") from error
        except OSError as error:
            raise CommandFailed(f"Cannot write {file}: {error.strerror}.", ExitCode.USAGE) from error

    def keep(self, project: str, key: str, secret: str) -> None:
        """Show or write one."""
        line = f"{project}/{key} {secret}"
        if self._file is None:
            if self._is_collected:
                self.collected.append(IssuedSecret(project, key, secret))
            else:
                print_line(line)
            return
        with self._file.open("a", encoding="utf-8") as out:
            out.write(f"{line}\n")


class Execution:
    """Does the steps, in their order, until one is refused: what was done stays, and the rest is done next time."""

    def __init__(self, connection: Connection, state: State, report: Report) -> None:
        self.secrets: Secrets | None = None
        self._connection = connection
        self._state = state
        self._report = report
        self._ids = {name: project.id for name, project in state.projects.items()}

    def perform(self, steps: Sequence[Step]) -> None:
        """All of them. Raises CommandFailed."""
        for step in steps:
            if step.key:
                self._perform_on_key(step)
            else:
                self._perform_on_scope(step)
            self._report.done += 1

    def _perform_on_scope(self, step: Step) -> None:
        limits = dict(step.limits)
        changes_budget = _MONTHLY in limits
        budget = limits.pop(_MONTHLY, None)
        if step.action == "end":
            self._connection.post(f"/organization/projects/{self._ids[step.project]}/archive", {})
            return
        if step.action == "add":
            answer = self._connection.post("/organization/projects", {**step.body, **_limits(limits)})
            self._ids[step.project] = msgspec.json.decode(answer, type=Project).id
        path = f"/organization/projects/{self._ids[step.project]}" if step.project else "/organization"
        if step.action == "change" and step.project and (step.body or limits):
            self._connection.change(path, {**step.body, **_limits(limits)})
        elif step.action == "change" and limits:
            self._connection.change(f"{path}/limits", _limits(limits))
        if changes_budget:
            self._set_budget(path, budget, is_new=step.action == "add")

    def _set_budget(self, path: str, nano: int | None, *, is_new: bool) -> None:
        """A month's money is OpenAI's spend limit; one that was set among the other limits gives way to it."""
        if not is_new:
            self._connection.change(f"{path}/limits", _limits({_MONTHLY: None}))
        if nano is None:
            try:
                self._connection.delete(f"{path}/spend_limit")
            except CommandFailed as failure:
                if failure.code is not ExitCode.REFUSED:
                    raise
            return
        cents = msgspec.Raw(f"{nano // _NANO_PER_CENT}.{nano % _NANO_PER_CENT:07d}".encode())
        self._connection.post(
            f"{path}/spend_limit", {"threshold_amount": cents, "currency": "USD", "interval": "month"}
        )

    def _perform_on_key(self, step: Step) -> None:
        project_id = self._ids[step.project]
        current = self._state.projects.get(step.project)
        found = None if current is None else current.keys.get(step.key)
        if step.action == "end" and found is not None:
            self._connection.delete(f"{keys_path(project_id)}/{found.id}")
            return
        body = {**step.body, **(_limits(step.limits) if step.limits else {})}
        account = account_named(self._connection, project_id, step.owner) if step.owner else None
        if found is not None:
            owner = {} if account is None else {"owner": account.id}
            self._connection.change(f"{keys_path(project_id)}/{found.id}", {**body, **owner})
        elif account is not None and self.secrets is not None:
            answer = self._connection.post(f"{accounts_path(project_id)}/{account.id}/api_keys", body)
            issued = msgspec.json.decode(answer, type=IssuedKey)
            self.secrets.keep(step.project, step.key, issued.value)
            self._report.secrets = self.secrets.collected


def _line(step: Step) -> StepLine:
    sent = {**step.body, **({"owner": step.owner} if step.owner else {})}
    return StepLine(step.action, step.project or None, step.key or None, sent, _entries(step.limits), step.lines)


def _limits(limits: Mapping[LimitName, int | None]) -> dict[str, object]:
    return {"limits": _entries(limits)} if limits else {}


def _entries(limits: Mapping[LimitName, int | None]) -> list[dict[str, object]]:
    return [
        {"kind": kind, "window": window, "limit": amount, **({"model": model} if model else {})}
        for (kind, window, model), amount in limits.items()
    ]


def _count(steps: Sequence[Step]) -> str:
    words = {"add": "added", "change": "changed", "end": "ended"}
    counts = {word: sum(1 for step in steps if step.action == action) for action, word in words.items()}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)
