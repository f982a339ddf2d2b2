"""Questions about shipped rules, as `acuse policy explain` gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.policy.explain import explain

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook

#: Fictitious numbers by the place they belong to.
NUMBERS = {
    "FR": "+33639981234",
    "GP": "+590690000000",
    "MQ": "+596696000000",
    "RE": "+262692000000",
    "ES": "+34910000000",
    "ES-mobile": "+34600111222",
    "CO": "+573000000000",
    "CL": "+56900000000",
    "PE": "+51900000000",
    "MX": "+525500000000",
    "BR": "+5511900000000",
    "AR": "+5491100000000",
    "UY": "+59894000000",
    "PY": "+595961000000",
    "EC": "+593990000000",
    "BO": "+59170000000",
    "CR": "+50680000000",
    "GT": "+50250000000",
    "SV": "+50370000000",
    "HN": "+50490000000",
    "NI": "+50580000000",
    "PA": "+50760000000",
    "DO": "+18095550123",
    "VE": "+584120000000",
    "GB": "+447400000000",
    "DE": "+4915110000000",
    "AT": "+436641000000",
    "CH": "+41780000000",
    "CA": "+14165550123",
    "NZ": "+64210000000",
    "AU": "+61400000000",
    "IE": "+353850000000",
    "US-NY": "+12125550123",
    "US-CA": "+13105550123",
    "US-FL": "+13055550123",
    "US-OK": "+14055550123",
    "US-MD": "+13015550123",
    "US-WA": "+12065550123",
    "US-CT": "+12035550123",
    "US-NJ": "+12015550123",
    "US-TX": "+12145550123",
    "US-VA": "+17035550123",
    "US-AL": "+12055550123",
    "US-RI": "+14015550123",
    "toll-free": "+18005550199",
}
#: A person who confirmed everything.
AGREED = [
    {"purpose": "marketing", "method": "double"},
    {"purpose": "cart", "method": "double"},
]
HOURS = ["location", "windows"]


def asked(book: Rulebook, place: str, now: str, category: str, **more: Any) -> dict[str, Any]:
    """The answer about a message to a number of that place."""
    request = {"to": NUMBERS.get(place, place), "now": now, "category": category, **more}
    answer = explain(book, request)
    assert isinstance(answer, dict)
    return answer


def verdict(book: Rulebook, place: str, now: str, category: str, **more: Any) -> str:
    """`release`, `hold 2026-11-24T08:00:00Z RULE …` or `refuse reason RULE …`."""
    answer = asked(book, place, now, category, **more)
    if answer["action"] == "release":
        return "release"
    if answer["action"] == "hold":
        return " ".join(["hold", answer["until"], *answer["rules"]])
    return " ".join(["refuse", str(answer["reason"]), *answer["rules"]])
