"""Where the running gateway is and which key opens it: from options, the environment and the files it leaves.

A gateway with the embedded store keeps `admin-key`, and while it runs `url`, in its data directory. Reads those files;
talks to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.cli.failure import CommandFailed, ExitCode
from gateway.supervise.endpoint import pinned_certificate

DEFAULT_URL: Final = "http://127.0.0.1:8080"
DATA_DIRS: Final = (Path("data"), Path("data/demo"))


@dataclass(slots=True, frozen=True)
class Place:
    """A gateway: `url` without `/v1` and without a slash at its end."""

    url: str
    admin_key: str = field(repr=False)  # or a virtual key, for what clients may do
    origin: str = ""  # where the key was found, for messages
    key_name: str = "admin key"
    key_variable: str = "GATEWAY_ADMIN_KEY"
    certificate: str = field(default="", repr=False)  # the one to accept; empty: as the system does


@dataclass(slots=True, frozen=True)
class Hints:
    """What the user said: `--url`, `--data-dir` and the environment."""

    url: str | None
    data_dir: Path | None
    environ: Mapping[str, str] = field(repr=False)

    def find(self) -> Place:
        """The gateway these hints lead to. Raises CommandFailed where no admin key is to be found."""
        return self._find("admin key", "GATEWAY_ADMIN_KEY", "admin-key")

    def find_for_clients(self) -> Place:
        """Likewise, with a virtual key. Raises CommandFailed where none is to be found."""
        return self._find("virtual key", "GATEWAY_API_KEY", "first-key")

    def running_directory(self) -> Path:
        """The data directory of the gateway on this machine."""
        return self._directories()[0]

    def _find(self, name: str, variable: str, file: str) -> Place:
        directories = self._directories()
        source = next((each for each in directories if (each / file).is_file()), None)
        running = source or next((each for each in directories if (each / "url").is_file()), None)
        named = self.url or self.environ.get("GATEWAY_URL")
        url = named or _read(running, "url") or DEFAULT_URL
        certificate = pinned_certificate(running) if running is not None and not named else ""
        given = self.environ.get(variable, "").strip()
        key = given or _read(source, file)
        if not key:
            looked = ", ".join(str(each.resolve() / file) for each in directories)
            raise CommandFailed(
                f"No {name}: {variable} is not set, and there is no {looked}.",
                ExitCode.NOT_ADMITTED,
                f"Set {variable}, or name the gateway's data directory with --data-dir.",
            )
        origin = variable if given else str(source)
        return Place(url.rstrip("/").removesuffix("/v1"), key, origin, name, variable, certificate)

    def _directories(self) -> list[Path]:
        """Data directories to look into; where there are several, that of the gateway started last comes first."""
        named = self.data_dir or self.environ.get("GATEWAY_DATA_DIR")
        if named:
            return [Path(named)]
        return sorted(DATA_DIRS, key=_started, reverse=True)


def _started(directory: Path) -> float:
    """When the gateway that runs on this directory started; 0 where none does."""
    try:
        return (directory / "url").stat().st_mtime
    except OSError:
        return 0.0


def _read(directory: Path | None, name: str) -> str:
    if directory is None:
        return ""
    try:
        return (directory / name).read_text().strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise CommandFailed(
            f"Cannot read {directory / name}: {error.strerror}.",
            ExitCode.NOT_ADMITTED,
            "Run this as the user that runs the gateway, or set GATEWAY_URL and GATEWAY_ADMIN_KEY.",
        ) from error
