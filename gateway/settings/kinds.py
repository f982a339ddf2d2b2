"""The kinds of value a setting can have: plain ones here, names in `names`, tables in `nested`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.settings.reading import Kind, Reading, Reported, Wrong, nearest_hint, type_words

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.settings.lines import Place


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Wrong(f"must be text, not {type_words(value)}", "put it in quotes")
    return value


@dataclass(frozen=True, slots=True)
class Text:
    """Any text of one line; *pattern* and *rule* narrow it, *max_octets* limits its ASCII form."""

    what: str = "text"
    pattern: str = ""
    rule: str = ""
    max_octets: int = 0
    empty: bool = False

    def read(self, value: object, place: Place, reading: Reading) -> str:
        text = _text(value)
        if not text and not self.empty:
            raise Wrong("is empty", self.rule or "write it between the quotes")
        if any(ord(char) < 32 or ord(char) == 127 for char in text):
            raise Wrong("has a control character", "write it on one line, without tabs")
        if self.max_octets and not text.isascii():
            raise Wrong(f"{text!r} is not ASCII", "SMPP carries it as ASCII octets")
        if self.max_octets and len(text) > self.max_octets:
            raise Wrong(
                f"{text!r} has {len(text)} octets; SMPP allows {self.max_octets}",
                "ask the operator for the exact value",
            )
        if self.pattern and text and not re.fullmatch(self.pattern, text, re.ASCII):
            raise Wrong(f"{text!r} is not possible here", self.rule)
        return text

    def fits(self, text: str) -> bool:
        """True if *text* has this kind's form."""
        return re.fullmatch(self.pattern, text, re.ASCII) is not None

    def words(self) -> str:
        return f"{self.what}, at most {self.max_octets} octets" if self.max_octets else self.what


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from *low* to *high*."""

    low: int
    high: int

    def read(self, value: object, place: Place, reading: Reading) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"must be a whole number, not {type_words(value)}", f"{self.words()}")
        if not self.low <= value <= self.high:
            raise Wrong(f"{value} is out of range", f"from {self.low} to {self.high}")
        return value

    def words(self) -> str:
        return f"whole number, {self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number above *above* and up to *high*."""

    above: float
    high: float

    def read(self, value: object, place: Place, reading: Reading) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(f"must be a number, not {type_words(value)}", self.words())
        # A whole number may be too large for a float: compare first, where Python is exact.
        if not self.above < value <= self.high:
            raise Wrong(
                f"{value} is out of range", f"more than {self.above:g}, at most {self.high:g}"
            )
        return float(value)

    def words(self) -> str:
        return f"number, more than {self.above:g}, at most {self.high:g}"


@dataclass(frozen=True, slots=True)
class Span:
    """Two numbers `[first, longest]`, both finite and positive, in this order."""

    high: float

    def read(self, value: object, place: Place, reading: Reading) -> tuple[float, float]:
        if not isinstance(value, list) or len(value) != 2:
            raise Wrong("must be a list of two numbers", "[first, longest], as in [1, 60]")
        low, high = (Number(0, self.high).read(item, place, reading) for item in value)
        if low > high:
            raise Wrong(f"{low:g} is longer than {high:g}", "the first wait stands first")
        return low, high

    def words(self) -> str:
        return f"[first, longest], each at most {self.high:g}"


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def read(self, value: object, place: Place, reading: Reading) -> bool:
        if not isinstance(value, bool):
            raise Wrong(f"must be true or false, not {type_words(value)}", "without quotes")
        return value

    def words(self) -> str:
        return "true or false"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]

    def read(self, value: object, place: Place, reading: Reading) -> str:
        text = _text(value)
        if text not in self.options:
            raise Wrong(f"{text!r} is not possible here", nearest_hint(text, self.options))
        return text

    def words(self) -> str:
        options = ", ".join(f'"{option}"' for option in self.options)
        return f"one of {options}" if len(self.options) > 1 else options


@dataclass(frozen=True, slots=True)
class Switch:
    """true or false."""

    def read(self, value: object, place: Place, reading: Reading) -> bool:
        if not isinstance(value, bool):
            raise Wrong(f"must be true or false, not {type_words(value)}", "without quotes")
        return value

    def words(self) -> str:
        return "true or false"


@dataclass(frozen=True, slots=True)
class Many:
    """A list of values of one kind; a single value counts as a list of one."""

    kind: Kind
    empty: bool = True

    def read(self, value: object, place: Place, reading: Reading) -> tuple[object, ...]:
        items = value if isinstance(value, list) else [value]
        if not items and not self.empty:
            raise Wrong("is an empty list", "name at least one")
        good: list[object] = []
        for number, item in enumerate(items):
            where = (*place, number) if isinstance(value, list) else place
            try:
                good.append(self.kind.read(item, where, reading))
            except Wrong as wrong:
                reading.problem(where, wrong.message, wrong.hint)
        if len(good) < len(items):
            raise Reported
        if len(set(good)) < len(good):
            raise Wrong("names something twice", "each only once")
        return tuple(good)

    def words(self) -> str:
        return f"list of {self.kind.words().removeprefix('one of ')}"


@dataclass(frozen=True, slots=True)
class Each:
    """A list of values of one kind, where the same value may stand more than once."""

    kind: Kind

    def read(self, value: object, place: Place, reading: Reading) -> tuple[object, ...]:
        if not isinstance(value, list) or not value:
            raise Wrong(f"must be a list, not {type_words(value)}", "write it in brackets")
        return tuple(
            self.kind.read(item, (*place, number), reading) for number, item in enumerate(value)
        )

    def words(self) -> str:
        return f"list of {self.kind.words()}"


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path; relative ones start at the configuration's directory. *exists*: it must be a file."""

    exists: bool = False

    def read(self, value: object, place: Place, reading: Reading) -> Path:
        text = Text("path").read(value, place, reading)
        path = reading.path(text)
        if self.exists and reading.secrets:
            require_file(path)
        return path

    def words(self) -> str:
        return "path of a file" if self.exists else "path"


def require_file(path: Path) -> None:
    """Raises `Wrong` unless *path* is a regular file (or a pipe, or a device) that opens."""
    if path.is_dir():
        raise Wrong(f"{path} is a directory", "name the file in it")
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise Wrong(f"{path} does not exist", "make it, or correct the path") from None
    except OSError as error:
        raise Wrong(
            f"{path} cannot be read: {error.strerror}", "run as the daemon's user, or mend its mode"
        ) from None


@dataclass(frozen=True, slots=True)
class SocketPath:
    """The path of a unix socket; the kernel allows 107 octets."""

    def read(self, value: object, place: Place, reading: Reading) -> Path:
        path = FilePath().read(value, place, reading)
        octets = len(str(path).encode())
        if octets > 107:
            raise Wrong(
                f"the socket's path has {octets} octets; the kernel allows 107",
                "choose a shorter one, such as /run/acuse/admin.sock",
            )
        return path

    def words(self) -> str:
        return "path of a unix socket, at most 107 octets"


@dataclass(frozen=True, slots=True)
class UtcOffset:
    """A fixed distance from UTC, `+01:00`."""

    def read(self, value: object, place: Place, reading: Reading) -> str:
        text = _text(value)
        matched = re.fullmatch(r"([+-])(\d\d):(\d\d)", text, re.ASCII)
        if text == "Z":
            return "+00:00"
        if not matched or int(matched[2]) > 14 or int(matched[3]) > 59:
            raise Wrong(f"{text!r} is not a distance from UTC", 'write it as "+01:00" or "-05:30"')
        return text

    def words(self) -> str:
        return 'distance from UTC, such as "+01:00"'


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """`HH:MM` on a clock of 24 hours; `24:00` where a window may end with the day."""

    end: bool = False

    def read(self, value: object, place: Place, reading: Reading) -> str:
        text = _text(value)
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text, re.ASCII) and not (
            self.end and text == "24:00"
        ):
            raise Wrong(f"{text!r} is not a time of day", 'write it as "08:00" or "21:30"')
        return text

    def words(self) -> str:
        return "time of day, HH:MM"
