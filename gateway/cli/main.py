"""The console script `acuse`: runs one command and turns whatever happens into an exit code."""

from __future__ import annotations

import errno
import itertools
import os
import sys
import traceback
from typing import TYPE_CHECKING

import click
from click.shell_completion import shell_complete

from gateway.cli import (
    bundle,
    certificate,
    config,
    consent,
    custody,
    ledger,
    ledgerkeys,
    manual,
    messages,
    mirror,
    operators,
    optout,
    policy,
    receipts,
    registries,
    serve,
    status,
    submit,
    trial,
    verify,
    witness,
)
from gateway.cli.output import (
    abandon_stdout,
    error_object,
    prefer_utf8,
    print_error,
    print_json,
    say,
)
from gateway.cli.root import root
from gateway.errors import AcuseError, InternalError, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

#: Every noun registers its commands with `root` when it is imported.
NOUNS = (
    bundle,
    certificate,
    config,
    consent,
    custody,
    ledger,
    ledgerkeys,
    manual,
    messages,
    mirror,
    operators,
    optout,
    policy,
    receipts,
    registries,
    serve,
    status,
    submit,
    trial,
    verify,
    witness,
)

INTERRUPTED = 130
NOBODY_READS = 141
_COMPLETION = "_ACUSE_COMPLETE"
#: Writing to stdout can end with these; anything else an OSError says is not about our output.
_OUTPUT_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `acuse` with *arguments* (default: the command line's); returns the exit code."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    prefer_utf8()
    if _COMPLETION in os.environ:
        return shell_complete(root, {}, "acuse", _COMPLETION, os.environ[_COMPLETION])
    ending = _Ending(args)
    with ending, root.make_context("acuse", args) as context:
        code = root.invoke(context)
        ending.code = code if isinstance(code, int) else 0
    with ending:
        sys.stdout.flush()
    return ending.code


class _Ending:
    """Turns the way a command ended into an exit code, and tells about what went wrong.

    It takes whatever comes: a bug too ends with one line and code 70, and its traceback if wanted.
    """

    def __init__(self, args: Sequence[str]) -> None:
        self.code = 0
        options = list(itertools.takewhile(lambda arg: arg != "--", args))
        self.as_json = "--json" in options
        self.verbose = bool(
            "-v" in options or "--verbose" in options or os.environ.get("ACUSE_DEBUG")
        )

    def __enter__(self) -> None:
        return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None or isinstance(error, SystemExit | GeneratorExit):
            return False
        self.code = self._code(error)
        return True

    def _code(self, error: BaseException) -> int:
        if isinstance(error, click.exceptions.Exit):
            return error.exit_code
        if isinstance(error, KeyboardInterrupt | click.Abort):
            return INTERRUPTED
        if isinstance(error, BrokenPipeError):
            abandon_stdout()
            return NOBODY_READS
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            say(error.format_message())
            return UsageError.exit_code
        if isinstance(error, OSError) and error.errno in _OUTPUT_ERRNOS and not error.filename:
            abandon_stdout()
            print_error(_cannot_write(error))
            return StorageError.exit_code
        if isinstance(error, click.ClickException):
            return self._tell(_usage(error))
        if isinstance(error, AcuseError):
            return self._tell(error)
        if self.verbose:
            say("".join(traceback.format_exception(error)).rstrip())
        return self._tell(_bug(error))

    def _tell(self, error: AcuseError) -> int:
        if self.as_json:
            print_json({"error": error_object(error)})
        else:
            print_error(error)
        return error.exit_code


def _usage(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    name = context.command_path if context is not None else "acuse"
    message = " ".join(error.format_message().split()).removesuffix(".")
    return UsageError(message[:1].lower() + message[1:], hint=f"`{name} --help` shows how")


def _cannot_write(error: OSError) -> StorageError:
    return StorageError(
        f"the output cannot be written: {error.strerror}", hint="send it somewhere with room"
    )


def _bug(error: BaseException) -> InternalError:
    what = traceback.format_exception_only(error)[-1].strip()
    return InternalError(
        f"a defect in Acuse: {what}",
        hint="please report it with the traceback, which -v or ACUSE_DEBUG=1 prints",
    )


if __name__ == "__main__":
    sys.exit(main())
