"""How a command fails: one sentence on stderr that says what to do next, and an exit code a script can rely on."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Documented in docs/cli.md; never renumbered."""

    DONE = 0
    REFUSED = 1  # the gateway said no, or there is no such object, or a question was answered with no
    USAGE = 2  # wrong arguments or a wrong configuration
    UNREACHABLE = 3  # nobody answers at the gateway's URL
    NOT_ADMITTED = 4  # no admin key, or not this gateway's


class CommandFailed(Exception):
    """Ends the command. `advice` is the next step, where there is one."""

    def __init__(self, message: str, code: ExitCode, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.advice = advice
