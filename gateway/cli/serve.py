"""`gateway serve`: reads the configuration, decides between Cloudflare and the simulator, runs the parent process and
prints what a user needs to know. Status 0 after an orderly end, 2 where it cannot start as asked, 1 where it broke.
"""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from gateway.cli.banner import Started, describe, quickstart
from gateway.cli.extras import load_installed
from gateway.config.problems import ConfigErrors
from gateway.config.settings import ServerSettings, Settings
from gateway.log.setting_up import set_up
from gateway.supervise.account import AccountCheck, start_check
from gateway.supervise.endpoint import Endpoint, reachable
from gateway.supervise.errors import CannotStart
from gateway.supervise.first_key import FirstKeyError, ensure_first_key
from gateway.supervise.handover import receive
from gateway.supervise.parent import Parent, ParentOptions
from gateway.supervise.rehearsal import rehearse
from gateway.supervise.signals import Interrupted
from gateway.supervise.source import Reading
from gateway.supervise.systemd import READY, tell_systemd

_CHECK_SECONDS = 5.0
_MISSING = """\
no Cloudflare credentials. Set both
  CLOUDFLARE_ACCOUNT_ID   the account to use
  CLOUDFLARE_API_TOKEN    a token with the permissions Workers AI Read and Edit (CLOUDFLARE_AUTH_TOKEN works too)
or `upstream.account_id` and `upstream.api_token` in the configuration.
To try the gateway without an account, start it with --demo: a simulator answers."""


@dataclass(slots=True, frozen=True)
class ServeOptions:
    """The command's options.

    `quickstart` is what `make run` asks for: the simulator where there are no credentials, the next free port where
    the default one is taken, and the first key shown if the output is a terminal. `adopt` takes whatever store answers
    for this data directory's from now on. `environ` is the process's.
    """

    environ: Mapping[str, str] = field(repr=False)
    config: Path | None = None
    demo: bool = False
    port: int | None = None
    quickstart: bool = False
    adopt: bool = False
    command: tuple[str, ...] = ()  # what starts this program again
    is_rehearsal: bool = False


def serve(options: ServeOptions) -> int:
    """Run the gateway until told to end; returns the exit status."""
    set_up("console")
    try:
        reading = read_configuration(options)
        settings = reading.settings
        set_up(settings.log.format)
        if options.is_rehearsal:
            return rehearse(settings, ParentOptions().app)
        with Parent(settings, _parent_options(options, reading)) as parent:
            check = start_check(settings.upstream, _CHECK_SECONDS) if not settings.is_demo else None
            parent.start()
            with _address_file(parent) as endpoint:
                _announce(parent, endpoint, options, check)
                tell_systemd(options.environ, READY)
                parent.run()
                _say(["", "Stopped."])
    except ConfigErrors as problems:
        return _fail(str(problems), 2)
    except CannotStart as error:
        return _fail(str(error), error.exit_status)
    except Interrupted:
        _say(["", "Stopped while starting."])
    return 0


def read_settings(options: ServeOptions) -> Settings:
    """The settings these options lead to. Raises ConfigErrors, or CannotStart where something is missing."""
    return read_configuration(options).settings


def read_configuration(options: ServeOptions) -> Reading:
    """`read_settings` with the files they lie in. Asked again whenever the configuration is reloaded."""
    file = _configuration_file(options)
    try:
        text = file.read_text(encoding="utf-8") if file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"the configuration {file} cannot be read: {error}") from error
    base = (file.parent if file else Path()).absolute()
    files = [file] if file else []

    def read_secret(secret: Path) -> str:
        files.append(secret)
        return secret.read_text(encoding="utf-8").strip()

    is_demo = options.demo
    settings = load_installed(text, options.environ, base, demo=is_demo, read_secret=read_secret).settings
    if not is_demo and not settings.upstream.api_token:
        if not options.quickstart:
            raise CannotStart(_MISSING)
        settings = load_installed(text, options.environ, base, demo=True, read_secret=read_secret).settings
    if options.port is not None:
        settings = replace(settings, server=replace(settings.server, port=options.port))
    return Reading(settings, tuple(each.absolute() for each in dict.fromkeys(files)))


def _configuration_file(options: ServeOptions) -> Path | None:
    if options.config is not None:
        return options.config
    named = options.environ.get("GATEWAY_CONFIG", "")
    default = Path("config.yaml")
    return Path(named) if named else default if default.exists() else None


def _parent_options(options: ServeOptions, reading: Reading) -> ParentOptions:
    chose_port = options.port is not None or reading.settings.server.port != ServerSettings().port
    return ParentOptions(
        may_move=options.quickstart and not chose_port,
        adopts_store=options.adopt,
        runtime_directory=options.environ.get("XDG_RUNTIME_DIR"),
        source=partial(read_configuration, options),
        files=reading.files,
        command=options.command,
        handover=receive(options.environ),
    )


@contextlib.contextmanager
def _address_file(parent: Parent) -> Iterator[Endpoint]:
    """While the gateway runs, `url` in its data directory tells the other commands where it is."""
    endpoint = reachable(parent.settings.server, parent.port)
    file = parent.settings.data_dir / "url"
    whole = file.with_name("url.new")  # nobody reads half of it, also while the one of a restarted gateway is replaced
    whole.write_text(endpoint.base_url.removesuffix("/v1") + "\n", encoding="ascii")
    whole.replace(file)
    try:
        yield endpoint
    finally:
        file.unlink(missing_ok=True)


def _announce(parent: Parent, endpoint: Endpoint, options: ServeOptions, check: AccountCheck | None) -> None:
    notes: list[str] = []
    if parent.port != (options.port or parent.wanted_port) and parent.wanted_port:
        notes.insert(0, f"port {parent.wanted_port} is taken, so this gateway listens on {parent.port}")
    if parent.open_files < 4096:
        notes.append(f"only {parent.open_files} files may be open at once, two per request: raise `ulimit -n`")
    key_file = parent.data.first_key_file if parent.store is not None else None
    key = ""
    if key_file is not None:
        try:
            key = ensure_first_key(endpoint, parent.admin_key, key_file)
        except FirstKeyError as error:
            notes.append(f"there is no first key yet, the next start tries again: {error}")
        if not key:
            key_file = None
    report = check.report(_CHECK_SECONDS + 2.0) if check is not None else None
    started = Started(
        parent.settings,
        endpoint.base_url,
        key_file,
        report=report,
        store_was_adopted=parent.store is not None and parent.store.was_adopted,
        notes=notes,
        metrics_trouble=parent.metrics_trouble,
        admin_key_file=None if parent.settings.admin_key else parent.data.admin_key_file,
    )
    _say(describe(started, time.time()))
    if options.quickstart and key_file is not None:
        _say(quickstart(endpoint.base_url, key if sys.stdout.isatty() else "", key_file, options.environ))
    _say(["", "Ctrl-C stops it; what was counted stays."])


def _say(lines: list[str]) -> None:
    with contextlib.suppress(BrokenPipeError):
        print("\n".join(lines), flush=True)


def _fail(message: str, status: int) -> int:
    print(f"gateway: {message}", file=sys.stderr, flush=True)
    return status
