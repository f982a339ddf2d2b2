"""The kind of value that names a machine: a DNS name, an IPv4 or an IPv6 address."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.settings.reading import Reading, Wrong, type_words

if TYPE_CHECKING:
    from gateway.settings.lines import Place

_MOST_OCTETS = 253
_LABEL_MOST_OCTETS = 63
#: Not RFC 952, but names of services in private networks have underscores and resolve.
_LABEL = re.compile(r"[A-Za-z0-9_-]+")
_EXAMPLES = "as in smpp.example.net, 192.0.2.7 or 2001:db8::7"


@dataclass(frozen=True, slots=True)
class Host:
    """A DNS name or an IP address, without port or scheme.

    An internationalised name is given back in the form DNS has it in, `xn--…` (RFC 5891).
    """

    def read(self, value: object, place: Place, reading: Reading) -> str:
        if not isinstance(value, str):
            raise Wrong(f"must be text, not {type_words(value)}", "put it in quotes")
        if "://" in value:
            raise Wrong(
                f"{value!r} is more than a host",
                "without smpp:// and the like; for an encrypted connection set tls",
            )
        if re.fullmatch(r"(\[.*\]|[^:]*):[^:]*", value):
            raise Wrong(f"{value!r} is more than a host", "only the name here; port is its own")
        if ":" in value:
            return _address(value, ipaddress.IPv6Address)
        name = _numbered_or_named(value)
        # In plain letters it may be an address after all: UTS 46 makes a 1 of a superscript one.
        return name if value.isascii() else _numbered_or_named(name)

    def words(self) -> str:
        return "host name or IP address"


def _numbered_or_named(text: str) -> str:
    labels = text.removesuffix(".").split(".")
    if labels[-1].isascii() and re.fullmatch(r"\d+|0[xX][0-9A-Fa-f]*", labels[-1]):
        return _address(text, ipaddress.IPv4Address)
    return _name(text, labels)


def _address(text: str, version: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]) -> str:
    """*text* if it is an address of one machine (RFC 6943 section 3.1.1: four whole numbers)."""
    try:
        address = version(text)
    except ValueError:
        hint = "without brackets" if "[" in text else _EXAMPLES
        raise Wrong(f"{text!r} is not an IP address", hint) from None
    if address.is_unspecified or address.is_multicast or text == "255.255.255.255":
        raise Wrong(f"{text!r} is the address of no machine", "ask the operator for its address")
    return text


def _name(text: str, labels: list[str]) -> str:
    """*text* as DNS has it (RFC 1035 section 2.3.4 limits labels to 63 octets, names to 253)."""
    if text and text.strip(".") and not all(labels):
        raise Wrong(f"{text!r} has an empty label", f"one dot between two labels, {_EXAMPLES}")
    ascii_labels = [_label(label, text) for label in labels]
    name = ".".join(ascii_labels)
    if len(name) > _MOST_OCTETS:
        raise Wrong(
            f"the name has {len(name)} octets; DNS allows {_MOST_OCTETS}",
            "ask the operator for its name or address",
        )
    return name + "." * text.endswith(".")


def _label(label: str, text: str) -> str:
    if not label.isascii() or label.lower().startswith("xn--"):
        import idna  # only here: no plain configuration should wait for its tables

        try:
            made = idna.encode(label, uts46=not label.isascii()).decode()
        except (idna.IDNAError, UnicodeError):
            raise Wrong(
                f"{text!r} is not a host name: {label!r} is no label of an internationalised name",
                _EXAMPLES,
            ) from None
        if "." in made:  # UTS 46 makes dots of some other characters
            return ".".join(_label(part, text) for part in made.split("."))
        return made
    if not _LABEL.fullmatch(label):
        raise Wrong(
            f"{text!r} is not a host name or address" if text.strip() else "is empty", _EXAMPLES
        )
    if len(label) > _LABEL_MOST_OCTETS:
        raise Wrong(
            f"{text!r} is not a host name: DNS allows a label {_LABEL_MOST_OCTETS} octets, and one"
            f" has {len(label)}",
            "ask the operator for its name or address",
        )
    if label.startswith("-") or label.endswith("-"):
        raise Wrong(
            f"{text!r} is not a host name: {label!r} begins or ends with a hyphen", _EXAMPLES
        )
    return label
