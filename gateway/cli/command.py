"""What all commands share: the options, the example in the help, and the way to the daemon."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from gateway.errors import ConfigError, DaemonUnreachable, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.cli.client import Client
    from gateway.settings import Settings

DEFAULT_CONFIG = Path("/etc/acuse/acuse.toml")

F = TypeVar("F", bound="Callable[..., int | None]")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one command: its common options, and what follows from them."""

    as_json: bool
    config: Path | None
    socket: Path | None

    def config_path(self) -> Path:
        """The configuration's path: --config, else ACUSE_CONFIG, else /etc/acuse/acuse.toml."""
        if self.config is not None:
            return self.config
        return Path(os.environ.get("ACUSE_CONFIG") or DEFAULT_CONFIG)

    def settings(self, *, secrets: bool = True) -> Settings:
        """The checked configuration; see `gateway.settings.load_settings`."""
        from gateway.settings import load_settings

        return load_settings(self.config_path(), secrets=secrets)

    def socket_path(self) -> Path:
        """The daemon's socket: --socket, else what the configuration says."""
        if self.socket is not None:
            return self.socket
        from gateway.settings import load_admin_socket

        return load_admin_socket(self.config_path())

    def client(self) -> Client:
        """A connection to the daemon; raises `DaemonUnreachable` if none answers."""
        from gateway.cli.client import Client

        return Client(self.socket_path())

    def call(self, command: str, args: dict[str, object]) -> dict[str, Any]:
        """The daemon's single answer to *command*."""
        with self.client() as client:
            return client.call(command, args)

    def ledger_settings(self, unreachable: DaemonUnreachable) -> Settings:
        """The configuration, to read the ledger file because the daemon is *unreachable*.

        Raises:
            DaemonUnreachable: there is no configuration either, so nobody can say where the ledger
                is; it is the first error, since the daemon is what was asked for.
        """
        try:
            return self.settings(secrets=False)
        except ConfigError as error:
            if self.config is None and not error.problems:
                raise unreachable from None
            raise


class ExampleCommand(click.Command):
    """A command whose help ends with an example."""

    def __init__(
        self,
        name: str,
        *,
        example: str,
        callback: Callable[..., int | None],
        params: list[click.Parameter],
        doc: str | None,
    ) -> None:
        super().__init__(
            name,
            callback=callback,
            params=params,
            help=doc,
            context_settings={"max_content_width": 100},
        )
        self.example = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Example"):
            for line in self.example.split("\n"):
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def command(
    group: click.Group,
    name: str,
    *,
    example: str,
    needs: str = "config socket",
    cls: type[ExampleCommand] = ExampleCommand,
) -> Callable[[F], ExampleCommand]:
    """Registers a function as `acuse … NAME` with the options every command has.

    The function gets a `Run` first, then its own parameters; what it returns is the exit code.
    *needs* says which of `config` and `socket` the command makes use of: every command takes both,
    so that scripts can pass them to all alike, but its help shows only these.
    """

    def register(function: F) -> ExampleCommand:
        def callback(
            as_json: bool, config: Path | None, socket: Path | None, **parameters: object
        ) -> int | None:
            return function(Run(as_json, config, socket), **parameters)

        made = cls(
            name,
            callback=callback,
            params=[*reversed(getattr(function, "__click_params__", [])), *_common(needs)],
            doc=function.__doc__,
            example=example,
        )
        group.add_command(made)
        return made

    return register


def _common(needs: str) -> list[click.Parameter]:
    path = click.Path(path_type=Path)
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, one object a line."),
        click.Option(
            ["--config"],
            type=path,
            metavar="FILE",
            hidden="config" not in needs,
            help=f"The configuration (else ACUSE_CONFIG, else {DEFAULT_CONFIG}).",
        ),
        click.Option(
            ["--socket"],
            type=path,
            metavar="PATH",
            hidden="socket" not in needs,
            help="The daemon's socket (else as configured).",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            help="Show the traceback of a bug.",
        ),
    ]


def group(parent: click.Group, name: str, doc: str) -> click.Group:
    """Registers the commands of one noun: `acuse NAME …`."""
    made = click.Group(name, help=doc, context_settings={"max_content_width": 100})
    parent.add_command(made)
    return made


def write_file(path: Path, data: bytes) -> None:
    """Makes *path* hold *data*, whole or not at all; devices and pipes are written into.

    Raises:
        StorageError: it cannot be written.
    """
    with whole_file(path, 0o666) as file:
        file.write(data)


@contextmanager
def whole_file(path: Path, mode: int) -> Iterator[IO[bytes]]:
    """A file to write, which is at *path* when all of it is written, or not at all.

    *mode* is that of a new file, less the umask. Devices and pipes are written into.

    Raises:
        StorageError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(descriptor, "wb") as file:
                yield file
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}",
            hint="name another file with -o",
            file=str(path),
        ) from None
