"""Why the gateway did not start. Read by the command line, which prints the message and ends with the status."""


class CannotStart(Exception):
    """The gateway cannot start as asked. The message says what is wrong and what to do; nothing is left running."""

    exit_status = 2


class WorkersFailed(CannotStart):
    """The workers ended before they served anything; their own output says why."""

    exit_status = 1
