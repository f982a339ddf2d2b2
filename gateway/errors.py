"""Errors a person can act on: a message, a hint that says the way out, and facts as fields.

Each class has the `code` that programs see in JSON and the `exit_code` the command line ends with
(sysexits-like, listed in `acuse --help`). Anything that is not an `AcuseError` is a defect: it
stops the daemon with a traceback and exit code 70.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

Field: TypeAlias = str | int | float | bool | list[str] | list[int] | None


class AcuseError(Exception):
    """Base of every expected failure.

    `fields` are facts for programs and logs; they never hold message text or a whole phone number.
    """

    code: ClassVar[str] = "bug"
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "", **fields: Field) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.fields = fields

    def as_dict(self) -> dict[str, object]:
        """The `error` object of the command line's JSON and of the admin protocol."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "fields": dict(self.fields),
        }


class AnswerIsNo(AcuseError):
    """The question was understood and the answer is no: not found, not possible in this state."""

    code = "no"
    exit_code = 1


class UsageError(AcuseError):
    """The command line or the request is not of the documented form."""

    code = "usage"
    exit_code = 64


class DataError(AcuseError):
    """Input data is damaged or cannot be what it says it is; `fields["field"]` names it."""

    code = "data"
    exit_code = 65


class DaemonUnreachable(AcuseError):
    """No daemon answers on the admin socket."""

    code = "unreachable"
    exit_code = 69


class InternalError(AcuseError):
    """A defect in Acuse, reported over the admin protocol instead of a traceback."""

    code = "bug"
    exit_code = 70


class StorageError(AcuseError):
    """The ledger file, the disk below it or a key file cannot be used safely."""

    code = "storage"
    exit_code = 74


class TryAgain(AcuseError):
    """Not now: the daemon drains, a queue is full, a lock is held."""

    code = "try_again"
    exit_code = 75


class NotPermitted(AcuseError):
    """The caller's role does not include the command."""

    code = "not_permitted"
    exit_code = 77


class ConfigError(AcuseError):
    """The configuration cannot work; `fields["setting"]` is the dotted path of the setting.

    `problems` holds every finding where several were found at once (each a ConfigError of its own).
    """

    code = "config"
    exit_code = 78

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        problems: tuple[ConfigError, ...] = (),
        **fields: Field,
    ) -> None:
        super().__init__(message, hint=hint, **fields)
        self.problems = problems


class ProtocolError(AcuseError):
    """Base of what can go wrong on an SMPP link."""

    code = "protocol"
    exit_code = 75


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that no reading of SMPP allows. `fields["kind"]` says which rule broke.

    The only exception the decoder and the session raise for outside input.
    """


class LocalProtocolError(ProtocolError):
    """Our own code asked the session for something its state does not allow: a defect."""

    code = "bug"
    exit_code = 70


class LinkLost(ProtocolError):
    """The TCP connection ended, was refused, or fell silent."""


class BindRefused(ProtocolError):
    """The operator answered the bind with an error; `fields["status"]` is its command_status."""


#: Every class the admin protocol can carry, by its `code` word.
BY_CODE: dict[str, type[AcuseError]] = {
    cls.code: cls
    for cls in (
        AnswerIsNo,
        UsageError,
        DataError,
        DaemonUnreachable,
        InternalError,
        StorageError,
        TryAgain,
        NotPermitted,
        ConfigError,
        ProtocolError,
    )
}


def from_dict(error: dict[str, object]) -> AcuseError:
    """The error an admin answer carries, as the exception its sender raised."""
    cls = BY_CODE.get(str(error.get("code")), InternalError)
    fields = error.get("fields")
    known: dict[str, Field] = {}
    if isinstance(fields, dict):
        known = {
            str(key): value if isinstance(value, str | int | float | bool) else str(value)
            for key, value in fields.items()
            if str(key) not in {"message", "hint", "problems"}
        }
    return cls(str(error.get("message", "")), hint=str(error.get("hint", "")), **known)
