"""The tables about companies: the issuer of proofs, and the brands that send."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.settings import checks
from gateway.settings.kinds import Choice, Many, Switch, TimeOfDay
from gateway.settings.names import CATEGORIES, LINE, SENDER, URI, WEEKDAYS, Country, Zone
from gateway.settings.nested import Table, Tables
from gateway.settings.reading import about


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """The company that runs this gateway; it stands in every proof as the issuer."""

    legal_name: str = field(
        default="", metadata=about("Registered name.", LINE, example='"Ejemplo SMS, S.L."')
    )
    tax_id: str = field(
        default="", metadata=about("Tax number, VAT number.", LINE, example='"B00000000"')
    )
    address: str = field(
        default="",
        metadata=about("Postal address.", LINE, example='"Calle Mayor 1, 28013 Madrid"'),
    )
    contact: str = field(
        default="",
        metadata=about("Where questions go.", LINE, example='"evidence@sms.example.es"'),
    )
    policy_uri: str = field(
        default="",
        metadata=about(
            "The published policy of this service.", URI, sample='"https://sms.example.es/policy"'
        ),
    )
    language: str = field(
        default="es",
        metadata=about("Language of documents, unless asked.", Choice(("es", "en", "pt", "ca"))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hours in which a brand sends; the law's quiet hours hold all the same."""

    zone: str = field(
        default="",
        metadata=about(
            "The zone of the clock; by default the recipient's.", Zone(), sample='"Europe/London"'
        ),
    )
    open: str = field(metadata=about("When it opens.", TimeOfDay(), sample='"18:00"'))
    close: str = field(
        metadata=about(
            "When it closes; earlier than open means on the next day.",
            TimeOfDay(end=True),
            sample='"02:00"',
        )
    )
    days: str = field(
        default="mon-sun", metadata=about("The weekdays on which it opens.", WEEKDAYS)
    )
    applies: tuple[str, ...] = field(
        default=CATEGORIES,
        metadata=about(
            "The categories it limits.",
            Many(Choice(CATEGORIES), empty=False),
            sample='["transactional"]',
        ),
    )

    def as_dict(self) -> dict[str, object]:
        """The window as `acuse policy explain` takes it."""
        window: dict[str, object] = {
            "open": self.open,
            "close": self.close,
            "days": self.days,
            "applies": list(self.applies),
        }
        if self.zone:
            window["zone"] = self.zone
        return window


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """A company messages are sent for; `acuse submit --brand` names it."""

    name: str
    legal_name: str = field(
        default="", metadata=about("Registered name.", LINE, example='"Acme Ibérica, S.A."')
    )
    tax_id: str = field(
        default="", metadata=about("Tax number, VAT number.", LINE, example='"A00000000"')
    )
    address: str = field(
        default="", metadata=about("Postal address.", LINE, sample='"Gran Vía 1, 28013 Madrid"')
    )
    contact: str = field(
        default="",
        metadata=about("Where recipients reach it.", LINE, sample='"info@acme.example"'),
    )
    info_url: str = field(
        default="",
        metadata=about("Page about the company.", URI, sample='"https://acme.example/legal"'),
    )
    prefix: str = field(
        default="",
        metadata=about(
            "What its texts begin with, so that readers know who writes; by default its name or "
            "legal_name followed by : or -.",
            LINE,
            sample='"ACME:"',
        ),
    )
    opt_out_url: str = field(
        default="",
        metadata=about(
            "Page where recipients opt out; a link to its host in a text counts as instruction.",
            URI,
            sample='"https://acme.example/baja"',
        ),
    )
    append_opt_out: bool = field(
        default=False,
        metadata=about(
            "Append to each text what the law of its recipient wants and it lacks: who writes, how "
            "to opt out, the company's page; acuse submit --fix asks for it once.",
            Switch(),
        ),
    )
    opt_out_text: str = field(
        default="",
        metadata=about(
            "The wording to append; by default one in the text's language that fits the sender.",
            LINE,
            sample='"Baja: acme.example/baja"',
        ),
    )
    senders: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "The senders it may use; none named = any.",
            Many(SENDER),
            example='["ACME"]',
        ),
    )
    substitute: bool = field(
        default=False,
        metadata=about(
            "Send ' for \u2019, - for \u2013, ... for \u2026 and the like where that takes fewer "
            "segments; the record shows what was replaced.",
            Switch(),
        ),
    )
    windows: tuple[Window, ...] = field(
        default=(),
        metadata=about(
            "Hours in which this brand sends, besides what the law allows.",
            Tables(Table(Window, checks.window)),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """What recipients see as the sender; the table's name is what --from says."""

    name: str
    kind: str = field(
        default="",
        metadata=about(
            "What it is; by default what the name looks like.",
            Choice(("alphanumeric", "short_code", "long_code", "toll_free")),
            example='"alphanumeric"',
        ),
    )
    registered_in: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "The countries in whose register it stands. Where a register is law, a sender that is "
            "not named here is refused.",
            Many(Country()),
            example='["ES"]',
        ),
    )
    receives: bool | None = field(
        default=None,
        metadata=about(
            "Whether answers to it reach this gateway; by default yes, except alphanumeric, which "
            "cannot.",
            Switch(),
            sample="false",
        ),
    )

    def __post_init__(self) -> None:
        if not self.kind:
            object.__setattr__(self, "kind", checks.kind_of_sender(self.name))
        if self.receives is None:
            object.__setattr__(self, "receives", self.kind != "alphanumeric")
