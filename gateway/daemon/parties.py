"""Who issues, who sends, and what "delivered" means at an operator: the objects a bundle shows
and the hashes by which entries are bound to them (LEDGER section 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from gateway.ledger import canonical
from gateway.ledger.entry import object_hash
from gateway.policy.appending import Wording
from gateway.policy.facts import Identity, SenderFacts
from gateway.policy.request import brand_windows
from gateway.policy.senders import kind_of

if TYPE_CHECKING:
    from gateway.ledger.store import Store
    from gateway.policy.rules import SenderKind, WindowRule
    from gateway.settings import Brand, Sender, Settings

#: Pairs of brand and sender remembered; a customer has tens of them.
_SENDERS_LIMIT = 10_000


class Parties:
    """The parties of the configuration: hashed once, kept in the ledger file by hash."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._senders: dict[tuple[str, str], str] = {}
        self._windows = {
            name: brand_windows([window.as_dict() for window in brand.windows])
            for name, brand in settings.brands.items()
        }
        self._identities = {name: identity_of(brand) for name, brand in settings.brands.items()}
        self._wordings = {
            name: Wording(brand.opt_out_text, settings.issuer.language)
            for name, brand in settings.brands.items()
        }
        self._wording = Wording(language=settings.issuer.language)
        self._registered = {name: sender_of(each) for name, each in settings.senders.items()}
        issuer = settings.issuer
        self.issuer_hash = self._keep(
            {
                "legal_name": issuer.legal_name,
                "tax_id": issuer.tax_id,
                "address": issuer.address,
                "policy_uri": issuer.policy_uri,
            }
        )
        self.profiles = {
            name: self._keep(
                {
                    "receipt_means": operator.receipt_means or "unknown",
                    "receipt_utc_offset": operator.receipt_utc_offset or "",
                }
            )
            for name, operator in settings.operators.items()
        }

    def sender_hash(self, brand: str, sender_id: str) -> str:
        """Hash of the bundle's `sender`: the brand's legal person, and what the handset shows."""
        known = self._senders.get((brand, sender_id))
        if known is None:
            if len(self._senders) >= _SENDERS_LIMIT:
                self._senders.clear()
            company = self._settings.brands.get(brand)
            known = self._keep(
                {
                    "legal_name": company.legal_name if company else "",
                    "tax_id": company.tax_id if company else "",
                    "address": company.address if company else "",
                    "sender_id": sender_id,
                }
            )
            self._senders[brand, sender_id] = known
        return known

    def substitutes(self, brand: str) -> bool:
        """Whether a brand wants typographic characters replaced where that saves segments."""
        company = self._settings.brands.get(brand)
        return company is not None and company.substitute

    def windows(self, brand: str) -> tuple[WindowRule, ...]:
        """A brand's own hours."""
        return self._windows.get(brand, ())

    def identity(self, brand: str) -> Identity | None:
        """How a brand shows who it is; None for a name that is not configured."""
        return self._identities.get(brand)

    def sender_facts(self, sender: str) -> SenderFacts | None:
        """What the configuration says of a sender; None if nothing."""
        return self._registered.get(sender)

    def appends(self, brand: str) -> bool:
        """Whether what the law wants may be appended to a brand's texts without asking."""
        company = self._settings.brands.get(brand)
        return company is not None and company.append_opt_out

    def wording(self, brand: str) -> Wording:
        """How a brand wants it said."""
        return self._wordings.get(brand, self._wording)

    def _keep(self, party: dict[str, str]) -> str:
        digest = object_hash(party)
        self._store.put_party(digest, canonical.encode(party).decode())
        return digest


def identity_of(brand: Brand) -> Identity:
    """How a configured brand shows who it is, and how one leaves it."""
    return Identity(
        name=brand.name,
        prefix=brand.prefix,
        legal_name=brand.legal_name,
        address=brand.address,
        contact=brand.contact,
        info_url=brand.info_url,
        opt_out_url=brand.opt_out_url,
    )


def sender_of(sender: Sender) -> SenderFacts:
    """What the configuration says of a sender. Toll-free numbers show it, whatever is declared."""
    seen = kind_of(sender.name)
    return SenderFacts(
        kind=seen if seen == "toll_free" else cast("SenderKind", sender.kind),
        registered_in=frozenset(sender.registered_in),
        receives=bool(sender.receives),
    )
