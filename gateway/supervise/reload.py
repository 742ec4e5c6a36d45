"""A changed configuration, from the file to all workers or to none: read, compare, offer, adopt.

Where anything is wrong with it, nothing changes: the settings in force stay, and the refusal is told in the log, in a
metric and by the workers' readiness. Messages name keys, never values.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.config.differences import changed_paths, fixed_changes
from gateway.config.problems import ConfigErrors
from gateway.config.settings import Settings
from gateway.metrics import MetricsListener
from gateway.supervise.crew import Crew
from gateway.supervise.errors import CannotStart
from gateway.supervise.source import Source, Watch

_log = logging.getLogger("gateway.supervise")


@dataclass(slots=True, frozen=True)
class Running:
    """What a reload acts on. `complete` puts into settings what only the running gateway knows (port, simulator),
    `adopted` is told what is in force.
    """

    crew: Crew
    metrics: MetricsListener
    complete: Callable[[Settings], Settings]
    adopted: Callable[[Settings], None]


class Reload:
    """Watches and reloads one configuration. `settings` are those in force, as read."""

    def __init__(self, source: Source, settings: Settings, watch: Watch, running: Running) -> None:
        self.settings = settings
        self._source = source
        self._watch = watch
        self._running = running
        self._offered: Settings | None = None
        self._is_asked = False

    def ask(self) -> None:
        """Read the configuration again, changed or not."""
        self._is_asked = True

    def tend(self) -> None:
        """One step; called between the parent's waits."""
        if self._offered is not None:
            self._conclude(self._offered)
        elif self._watch.has_settled_anew() or self._is_asked:
            self._is_asked = False
            self._begin()

    def _begin(self) -> None:
        self._watch.note()
        try:
            reading = self._source()
        except (ConfigErrors, CannotStart, OSError) as error:
            self._refuse(str(error))
            return
        if reading.files != self._watch.files:
            self._watch.follow(reading.files)
        fixed = fixed_changes(self.settings, reading.settings)
        if fixed:
            self._refuse(f"only a restart can change {', '.join(fixed)}")
        elif reading.settings == self.settings:
            self._accept("configuration read again: nothing has changed")
        else:
            self._offered = reading.settings
            self._running.crew.offer(self._running.complete(reading.settings))

    def _conclude(self, offered: Settings) -> None:
        outcome = self._running.crew.outcome()
        if outcome is None:
            return
        self._offered = None
        if outcome:
            self._refuse(outcome)
            return
        changed = ", ".join(changed_paths(self.settings, offered))
        self.settings = offered
        self._running.adopted(offered)
        self._accept(f"configuration reloaded: {changed}")

    def _accept(self, message: str) -> None:
        _log.info("%s", message)
        self._running.crew.post_notice("")
        self._running.metrics.configuration_reloaded(is_accepted=True)

    def _refuse(self, why: str) -> None:
        _log.error("THE CHANGED CONFIGURATION IS REFUSED, the previous one stays in force:\n%s", why)
        moment = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        self._running.crew.post_notice(
            f"configuration: the change of {moment} was refused, the log says why; the previous one stays in force"
        )
        self._running.metrics.configuration_reloaded(is_accepted=False)
