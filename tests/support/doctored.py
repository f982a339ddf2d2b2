"""Parts of the gateway that behave in a test as they would not by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def doctor(owner: object, method: str, by: Callable[..., object]) -> None:
    """From now on *owner* does *by* where it would do *method*."""
    assert callable(getattr(owner, method)), f"{owner!r} has no method {method}"
    setattr(owner, method, by)
