"""Tables from CSV files: a header that names the columns, then a row a line, in flat memory.

UTF-8, with or without byte order mark; separated by commas, semicolons or tabs, whichever the
header has. A line that is no row is a `Broken` with its number and reason; the others go through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from gateway.cli.lines import Bad, Lines, decoded
from gateway.cli.rows import Broken, read_record
from gateway.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: What a file of rejected lines says of each; ignored when it is imported after it was mended.
ABOUT: Final = ("line", "field", "reason")
_SEPARATORS: Final = (";", "\t", ",")


@dataclass(frozen=True, slots=True)
class Cells:
    """One row: the 1-based number of its first line, and its cells that are not empty."""

    line: int
    values: dict[str, str]


class Table:
    """The rows of *file*; *name* is what errors call it.

    Raises:
        DataError: no row can be read: empty, in another encoding, or without the right header.
    """

    def __init__(
        self,
        file: IO[bytes],
        name: str,
        columns: Sequence[str],
        needed: Sequence[str],
        progress: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._lines = Lines(file, progress)
        self._name = name
        self._known = columns
        first = self._lines.peek()
        if first is None or not first.strip(b"\xef\xbb\xbf\r\n \t;,"):
            raise self._wrong("is empty", f"a CSV begins with a header line: {','.join(columns)}")
        if first.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise self._wrong("is UTF-16", "save it as CSV in UTF-8")
        try:
            text = decoded(first)
        except Bad as bad:
            raise self._wrong(f"line 1: {bad.reason}", "save it as CSV in UTF-8") from None
        self._separator = max(_SEPARATORS, key=text.count)
        self.columns = self._header(needed)

    def rows(self) -> Iterator[Cells | Broken]:
        """Every row, and every line that is none."""
        while (record := read_record(self._lines, self._separator)) is not None:
            if isinstance(record, Broken):
                yield record
                continue
            number, cells = record
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(self.columns):
                reason = f"{len(cells)} columns where the header has {len(self.columns)}"
                yield Broken(number, reason)
                continue
            pairs = zip(self.columns, cells, strict=True)
            values = {key: cell.strip() for key, cell in pairs if cell.strip()}
            yield Cells(number, {key: values[key] for key in values if key not in ABOUT})

    def _header(self, needed: Sequence[str]) -> list[str]:
        record = read_record(self._lines, self._separator)
        if record is None or isinstance(record, Broken):
            reason = "is empty" if record is None else f"has a broken header: {record.reason}"
            raise self._wrong(reason, "the first line names the columns")
        columns = [cell.strip().lower() for cell in record[1]]
        for column in columns:
            if column not in self._known and column not in ABOUT:
                raise self._unknown(column)
        for name in needed:
            if name not in columns:
                hint = f"the columns are {','.join(self._known)}; needed: {','.join(needed)}"
                raise self._wrong(f"has no column {name!r}", hint, field=name)
        if len(set(columns)) < len(columns):
            raise self._wrong("names a column twice", "each only once")
        return columns

    def _unknown(self, column: str) -> DataError:
        if column.startswith("+") or column.isdecimal():
            hint = f"the first line names the columns: {','.join(self._known)}"
            return self._wrong("has no header: it begins with a number", hint)
        from gateway.settings.reading import nearest_hint

        hint = nearest_hint(column, tuple(self._known))
        return self._wrong(f"{column[:40]!r} is not a column", hint, field=column[:40])

    def _wrong(self, what: str, hint: str, *, field: str = "") -> DataError:
        colon = "" if what.startswith(("is ", "has ", "names ")) else ":"
        fields = {"field": field} if field else {}
        return DataError(
            f"{self._name}{colon} {what}", hint=hint, file=self._name, line=1, **fields
        )
