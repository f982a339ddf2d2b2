"""The kinds of names: of things people chose, of zones, of what is installed."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from gateway.resources import config_directory
from gateway.settings.kinds import Text
from gateway.settings.reading import Reading, Wrong, nearest_hint

if TYPE_CHECKING:
    from gateway.settings.lines import Place

_DAYS = "mon|tue|wed|thu|fri|sat|sun"
WEEKDAYS = Text(
    "weekdays",
    rf"(?:{_DAYS})(?:-(?:{_DAYS}))?(?:,(?:{_DAYS})(?:-(?:{_DAYS}))?)*",
    'write them as "mon-sun", "mon-fri" or "mon,wed,sat-sun"',
)

CATEGORIES = ("promotional", "cart_reminder", "transactional", "otp", "legal_notice", "debt_claim")

LINE = Text(empty=True)
NAME = Text(
    "name",
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}",
    "letters, digits, dot, hyphen and underscore, at most 40",
)
SENDER = Text(
    "sender",
    r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9 .&_+-]{0,10}|\d{3,8}|\+[1-9]\d{6,14}",
    "at most 11 letters and digits, a short code of 3 to 8 digits, or + and a whole number",
)
PREFIX = Text(
    "number prefix", r"\+([1-9]\d{0,14})?", 'a country code or more, as in "+34" or "+346"'
)
URI = Text("web address", r"https?://\S+", "it begins with https://", empty=True)
OVERLAY = Text("name of an overlay", r"[a-z]+(-[a-z]+)*", "small letters, as us-conservative")
GROUP = Text("group of the system", r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?", "as in /etc/group")


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of the tz database that the installed `tzdata` knows."""

    def read(self, value: object, place: Place, reading: Reading) -> str:
        text = Text().read(value, place, reading)
        if text not in _zones():
            near = nearest_hint(text, _zones())
            hint = near if near.startswith("did") else "a name such as Europe/Madrid"
            raise Wrong(f"{text!r} is not a time zone", hint)
        return text

    def words(self) -> str:
        return "time zone, such as Europe/Madrid"


_ISO_3166 = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ "
    "EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW "
    "GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY "
    "KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV "
    "MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY "
    "QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG "
    "TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM "
    "ZW"
)
_COUNTRIES = frozenset(_ISO_3166.split())


@dataclass(frozen=True, slots=True)
class Country:
    """A country's code of ISO 3166-1."""

    def read(self, value: object, place: Place, reading: Reading) -> str:
        text = Text().read(value, place, reading)
        if text not in _COUNTRIES:
            hint = f"did you mean {text.upper()}?"
            if text.upper() not in _COUNTRIES:
                hint = "two capital letters of ISO 3166, as in ES or GB"
            raise Wrong(f"{text!r} is no country", hint)
        return text

    def words(self) -> str:
        return "country code of ISO 3166, such as ES"


@cache
def _zones() -> frozenset[str]:
    listed = importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    return frozenset(listed.split())


@dataclass(frozen=True, slots=True)
class DialectName:
    """The name of an operator dialect that is installed: config/operators/NAME.toml."""

    def read(self, value: object, place: Place, reading: Reading) -> str:
        text = NAME.read(value, place, reading)
        directory = config_directory() / "operators"
        if not (directory / f"{text}.toml").is_file():
            known = sorted(path.stem for path in directory.glob("*.toml"))
            raise Wrong(f"there is no dialect {text!r}", nearest_hint(text, known))
        return text

    def words(self) -> str:
        return "name of a file of config/operators"
