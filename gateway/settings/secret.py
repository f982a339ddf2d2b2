"""Passwords and keys: values that never show themselves in a repr, a log line or a digest."""

from __future__ import annotations

import hmac


class Secret:
    """A text that only `reveal` gives away; `source` says where it came from, for messages.

    `source` is `clear` (it stands in the configuration), `file:PATH` or `credential:NAME`.
    """

    __slots__ = ("_value", "source")

    def __init__(self, value: str, *, source: str) -> None:
        self._value = value
        self.source = source

    def reveal(self) -> str:
        """The secret itself. Call it where the value is used, and keep no copy."""
        return self._value

    def __repr__(self) -> str:
        return f"<secret from {self.source}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        same = hmac.compare_digest(self._value.encode(), other._value.encode())
        return same and self.source == other.source

    def __hash__(self) -> int:
        return hash(self.source)
