"""How the simulated operator behaves: one declaration for the program, its help and its checks."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from gateway.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_T = TypeVar("_T")

#: How ids are written. The last two name one number in hexadecimal and in decimal, zero-padded to
#: ten digits, as operators do (`message_id_form` of the gateway's configuration).
ID_FORMS: Final = ("decimal", "hex", "uuid", "hex_in_response", "decimal_in_response")

_Default: TypeAlias = str | int | float | None


def _option(default: _T, help_: str, **facts: object) -> _T:
    return field(default=default, metadata={"help": help_, **facts})


@dataclass(frozen=True, slots=True)
class SimOptions:
    """Behaviour of one simulated operator. Times are seconds; probabilities are per message.

    Raises:
        UsageError: a value cannot be; `fields["field"]` names the option.
    """

    system_id: str | None = _option(None, "the only system_id that may bind; any if not given")
    password: str | None = _option(None, "the password of a bind; any if not given")
    behaviour: str | None = _option(
        None, "force habits by name, each for all or for numbers ending so: NAME[@DIGITS],NAME…"
    )
    message_id: str = _option("decimal", "how message ids are written", choices=ID_FORMS)
    response_delay_s: float = _option(0.0, "how long a submit_sm_resp takes", least=0)
    late_response_s: float = _option(12.0, "how long the late submit_sm_resp takes", least=0)
    receipt_delay_min_s: float = _option(0.05, "shortest time to a receipt", least=0)
    receipt_delay_max_s: float = _option(0.5, "longest time to a receipt", least=0)
    resend_s: float = _option(5.0, "an unanswered receipt is sent again after this", least=0.001)
    receipt_window: int = _option(100, "receipts on their way at once on a link", least=1)
    enquire_link_s: float = _option(30.0, "silence before an enquire_link; 0 sends none", least=0)
    response_timeout_s: float = _option(
        10.0, "a link that leaves an enquire_link unanswered this long is closed", least=0.001
    )
    early: float = _option(0.0, "probability of a receipt before its response", least=0, most=1)
    duplicate: float = _option(0.0, "probability of a receipt sent twice", least=0, most=1)
    reorder: float = _option(
        0.0, "probability of a receipt held back past later ones", least=0, most=1
    )
    throttle: float = _option(0.0, "probability of an answer 0x58 ESME_RTHROTTLED", least=0, most=1)
    max_rate: float = _option(
        0.0, "submit_sm per second above which 0x58 is answered; 0: none", least=0
    )
    utc_offset_s: int = _option(0, "local time of the dates in receipts", least=-50400, most=50400)
    seed: int | None = _option(None, "makes ids and chances repeatable")
    count: int = _option(0, "end after this many acknowledged receipts; 0: never", least=0)
    remember: int = _option(1_000_000, "how many accepted messages are kept in memory", least=0)

    def __post_init__(self) -> None:
        for each in fields(self):
            _check(each.name, getattr(self, each.name), each.metadata)
        if self.behaviour:
            from gateway.sim.behaviours import parse_behaviours  # heavy: it brings the codec

            parse_behaviours(self.behaviour)
        if self.receipt_delay_min_s > self.receipt_delay_max_s:
            raise UsageError(
                f"receipt_delay_min_s: {self.receipt_delay_min_s:g} is more than"
                f" receipt_delay_max_s, {self.receipt_delay_max_s:g}",
                hint="swap them, or give both the same value",
                field="receipt_delay_min_s",
            )


def _check(name: str, value: _Default, facts: Mapping[str, Any]) -> None:
    choices = facts.get("choices")
    if choices is not None and value not in choices:
        raise UsageError(
            f"{name}: {value!r} is not known", hint=f"one of {', '.join(choices)}", field=name
        )
    if isinstance(value, int | float):
        least, most = facts.get("least", value), facts.get("most", value)
        if not least <= value <= most:
            raise UsageError(
                f"{name}: {value} is out of range",
                hint=f"give {least} or more" if value < least else f"give {most} or less",
                field=name,
            )


def sim_options(values: Mapping[str, Any]) -> SimOptions:
    """The options that a command line gave, by their names.

    Raises:
        UsageError: a value cannot be; `fields["field"]` names the option.
    """
    return SimOptions(**values)


_DEFAULTS: Final = SimOptions()


class OptionRow(NamedTuple):
    """One option for a command line: `name` with underscores, `type` of a given value."""

    name: str
    type: type
    default: _Default
    help: str
    choices: tuple[str, ...] | None


def option_table() -> list[OptionRow]:
    """The options of `SimOptions` in their order; `SimOptions(**values)` takes what they give."""
    types: dict[str, type] = {"str": str, "int": int, "float": float}
    return [
        OptionRow(
            each.name,
            types[str(each.type).removesuffix(" | None")],
            getattr(_DEFAULTS, each.name),
            each.metadata["help"],
            each.metadata.get("choices"),
        )
        for each in fields(SimOptions)
    ]
