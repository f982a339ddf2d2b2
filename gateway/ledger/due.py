"""What is to be destroyed, found beside the writer: by retention month, or by person.

Pages of row ids, each a look at a bounded number of rows, so that no reader holds the file for
long. Rows of the large tables lie in the order of their times, which is how a month is found among
them; what is small is gone through whole.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.ledger.reader import Reader

#: Rows looked at for one page.
_WINDOW: Final = 20_000
#: Clocks may have been corrected while a month ended.
_MARGIN_MS: Final = 86_400_000
_CONSENTS: Final = (
    "(key IS NOT NULL AND month=:month"
    " OR details IS NOT NULL AND chunk IN (SELECT id FROM chunks WHERE month=:month))"
)
#: Kinds of rows in the order in which they are destroyed: table, the time by which its ids are in
#: order (None: gone through whole), and what of a month still has content.
_KINDS: Final[dict[str, tuple[str, str | None, str]]] = {
    "submissions": ("submissions", "submitted_ms", "month=:month AND key IS NOT NULL"),
    "orphans": (
        "receipts",
        "received_ms",
        "submission IS NULL AND month=:month AND key IS NOT NULL",
    ),
    "inbound": ("inbound", "received_ms", "month=:month AND key IS NOT NULL"),
    "optouts": ("optouts", None, "month=:month AND key IS NOT NULL"),
    "requests": ("consent_requests", None, "month=:month AND key IS NOT NULL"),
    "consents": ("consents", None, _CONSENTS),
    "lists": ("chunks", None, "month=:month AND key IS NOT NULL"),
    "services": ("services", None, "made_ms<:until"),
}
KINDS: Final = tuple(_KINDS)


class Page(NamedTuple):
    """Some row ids, and where to go on; `after` None: that was all."""

    ids: list[int]
    after: int | None


class Due:
    """Finds them by a reader."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    # -- by month ------------------------------------------------------------------------------

    def page(self, kind: str, month: str, after: int | None = None) -> Page:
        """Rows of a *kind* that are wrapped with the KEK of *month*; *after* None: from the start.

        Services have no content; they are those made before the month's end.
        """
        table, time, condition = _KINDS[kind]
        begin_ms, end_ms = month_span(month)
        last = self._last(table)
        if time is not None:
            last = min(last, self._first(table, time, end_ms + _MARGIN_MS, last))
        if after is None:
            kept = self._kept(month) if kind == "submissions" else []
            start = 0 if time is None else self._first(table, time, begin_ms - _MARGIN_MS, last) - 1
            return Page(kept, start)
        until = min(after + _WINDOW, last)
        rows = self._reader.query(
            f"SELECT id FROM {table} WHERE id>:after AND id<=:last AND {condition} ORDER BY id",
            after=after,
            last=until,
            month=month,
            until=end_ms,
        )
        return Page([row["id"] for row in rows], until if until < last else None)

    def suppressed(
        self, month: str, after: tuple[bytes, str]
    ) -> tuple[list[tuple[bytes, str]], tuple[bytes, str] | None]:
        """Persons on imported opt-out lists of *month* whose number can be read: person and brand,
        and where to go on.
        """
        rows = list(
            self._reader.query(
                "SELECT person, brand, number IS NOT NULL AND chunk IN (SELECT id FROM chunks"
                " WHERE month=:month AND kind='optout') AS due FROM (SELECT * FROM suppressions"
                " WHERE (person, brand) > (:person, :brand) ORDER BY person, brand LIMIT :most)",
                month=month,
                person=after[0],
                brand=after[1],
                most=_WINDOW,
            )
        )
        found = [(row["person"], row["brand"]) for row in rows if row["due"]]
        at_end = len(rows) < _WINDOW
        return found, None if at_end else (rows[-1]["person"], rows[-1]["brand"])

    def released(self) -> list[tuple[int, int]]:
        """Row id and `submitted_ms` of what outlived its month and is no more held or open."""
        rows = self._reader.query(
            "SELECT s.id, s.submitted_ms FROM kept k JOIN submissions s ON s.id=k.submission"
            " WHERE s.closed_ms IS NOT NULL AND s.key IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.submission=s.id)"
        )
        return [(row["id"], row["submitted_ms"]) for row in rows]

    # -- by person -----------------------------------------------------------------------------

    def submissions_of(self, person: bytes) -> list[int]:
        """Row ids of everything that was submitted to a person and not erased, oldest first.

        Reads one narrow index from end to end.
        """
        rows = self._reader.query(
            "SELECT id FROM submissions INDEXED BY submissions_person WHERE person=:person",
            person=person,
        )
        return [row["id"] for row in rows]

    def sealed(self, kind: str) -> Iterator[dict[str, Any]]:
        """Every row of orphans or inbound messages with a key of its own: `id`, `month`, `key` and
        `raw`.
        """
        table = _KINDS[kind][0]
        alone = "submission IS NULL AND " if kind == "orphans" else ""
        after, last = 0, self._last(table)
        while after < last:
            yield from list(
                self._reader.query(
                    f"SELECT id, month, key, raw FROM {table} WHERE id>:after AND id<=:last"
                    f" AND {alone}key IS NOT NULL ORDER BY id",
                    after=after,
                    last=after + _WINDOW,
                )
            )
            after += _WINDOW

    # -- holds ---------------------------------------------------------------------------------

    def holds(self) -> Iterator[dict[str, Any]]:
        """Legal holds, oldest first, each with what can be said of its submission."""
        return self._reader.query(
            "SELECT s.submission_id, s.state, s.submitted_ms, h.placed_ms, h.actor, h.why, h.seq"
            " FROM holds h JOIN submissions s ON s.id=h.submission ORDER BY h.placed_ms, s.id"
        )

    # -- inside --------------------------------------------------------------------------------

    def _kept(self, month: str) -> list[int]:
        rows = self._reader.query("SELECT submission FROM kept WHERE month=:month", month=month)
        return [row["submission"] for row in rows]

    def _last(self, table: str) -> int:
        row = next(self._reader.query(f"SELECT max(id) AS id FROM {table}"))
        return row["id"] or 0

    def _first(self, table: str, time: str, at_ms: int, last: int) -> int:
        """The least id whose time is not before *at_ms*, as far as ids are in the order of times;
        one more than *last* where there is none.
        """
        low, high = 1, last + 1
        while low < high:
            middle = (low + high) // 2
            found = next(
                self._reader.query(
                    f"SELECT id, {time} AS at FROM {table} WHERE id>=:middle ORDER BY id LIMIT 1",
                    middle=middle,
                ),
                None,
            )
            if found is None or found["at"] >= at_ms:
                high = middle
            else:
                low = found["id"] + 1
        return low


def month_span(month: str) -> tuple[int, int]:
    """The first instant of a month (`YYYY-MM`, UTC) and of the one after it."""
    year, number = int(month[:4]), int(month[5:])
    after = (year + 1, 1) if number == 12 else (year, number + 1)
    return _begin_ms(year, number), _begin_ms(*after)


def _begin_ms(year: int, month: int) -> int:
    return round(datetime.fromisoformat(f"{year:04d}-{month:02d}-01T00:00:00Z").timestamp() * 1000)
