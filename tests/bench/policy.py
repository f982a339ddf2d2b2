"""What policy costs: a decision in the daemon, a line of `policy explain`, loading the packs.

All checks are on and every fact is given, as for a gateway that knows its people. Times are of one
core, after a warm-up; nothing here passes or fails by speed.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from gateway.policy.decide import decide
from gateway.policy.explain import explain_lines
from gateway.policy.loader import load_rulebook
from gateway.policy.request import parse_request
from gateway.policy.rules import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.policy.book import Rulebook

LINES: Final = 40_000
#: Beginnings of fictitious recipients, each with as many digits as are missing.
_PLACES: Final = {
    "+346001112": 2, "+3363998": 4, "+1305555": 4, "+1850555": 4, "+1212555": 4, "+1918555": 4,
    "+57300123": 4, "+5691234": 4, "+5511912345": 3, "+4477009001": 2, "+49151123456": 2,
    "+6149157000": 1, "+1416555": 4, "+1800555": 4,
}  # fmt: skip
_TEXTS: Final = (
    "ACME: -20 % este fin de semana en toda la tienda. Baja: https://acme.example/b",
    "ACME: 20 % off all shoes until Sunday. Reply STOP to opt out. acme.example/legal",
    "Su factura 2026/117 de 48,20 EUR vence el 30 de noviembre. ACME Ejemplo SA",
    "ACME: soldes d'hiver, -30 % sur tout le rayon. STOP 36111",
)
_LOAD: Final = """
import time
def mib():
    pages = open("/proc/self/statm").read().split()[1]
    return int(pages) * 4096 / 2**20
before, started = mib(), time.perf_counter()
from gateway.policy.loader import load_rulebook
imported = time.perf_counter()
book = load_rulebook()
print((imported - started) * 1e3, (time.perf_counter() - imported) * 1e3, mib() - before,
      len(book.packs))
"""


def requests(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Questions of every category about people everywhere, at all hours of three weeks."""
    rnd = random.Random(seed)
    found = []
    for number in range(count):
        prefix, digits = rnd.choice(list(_PLACES.items()))
        day, hour = rnd.randrange(9, 30), rnd.randrange(24)
        found.append(
            {
                "to": prefix + f"{rnd.randrange(10**digits):0{digits}d}",
                "category": CATEGORIES[number % len(CATEGORIES)],
                "now": f"2026-11-{day:02d}T{hour:02d}:{rnd.randrange(60):02d}:00Z",
                "brand": "acme",
                "campaign": rnd.choice("AB"),
                "from": rnd.choice(("ACME", "57575")),
                "text": rnd.choice(_TEXTS),
                "history": [
                    {"at": f"2026-11-{day - 1:02d}T{hour:02d}:30:00Z", "campaign": "A"},
                    {"at": f"2026-11-{day - 3:02d}T12:00:00Z", "category": "debt_claim"},
                ][: rnd.randrange(3)],
                "consent": [
                    {
                        "purpose": purpose,
                        "granted_at": "2026-01-02T03:04:05Z",
                        "method": "double",
                    }
                    for purpose in ("marketing", "cart")
                ],
                "cart_abandoned_at": f"2026-11-{day - 1:02d}T{hour:02d}:00:00Z",
                "last_optout_instruction_at": f"2026-11-{day - 1:02d}T12:00:00Z",
            }
        )
    return found


def measure(lines: int = LINES, runs: int = 3) -> dict[str, Any]:
    """Every figure; the best of some runs, for other programs only ever slow one down."""
    book = load_rulebook()
    asked = requests(lines)
    text = [json.dumps(each, ensure_ascii=False) for each in asked]

    def explained() -> int:
        return sum(1 for _ in explain_lines(book, text))

    explained()
    explained_s = _best_s(explained, runs)
    load = [_load() for _ in range(runs)]
    return {
        "lines": lines,
        "explain_lines_per_s": round(lines / explained_s),
        "decision_us": _decisions(book, asked, runs),
        "packs": round(load[0][3]),
        "import_ms": round(min(each[0] for each in load), 1),
        "load_ms": round(min(each[1] for each in load), 1),
        "load_mib": round(min(each[2] for each in load), 1),
    }


def _decisions(book: Rulebook, asked: list[dict[str, Any]], runs: int) -> dict[str, float]:
    """Microseconds a decision, by category and over all."""
    found = {}
    for category in (*CATEGORIES, "all"):
        parsed = [
            parse_request(book, each) for each in asked if category in (each["category"], "all")
        ]

        def judged(parsed: list[Any] = parsed) -> None:
            for each in parsed:
                decide(book, each.message, each.facts, each.now, close_guard_s=120)

        judged()
        found[category] = round(_best_s(judged, runs) / max(1, len(parsed)) * 1e6, 2)
    return found


def _best_s(work: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def _load() -> tuple[float, float, float, float]:
    """Milliseconds of import and of loading, MiB both take, and how many packs there are."""
    done = subprocess.run(
        [sys.executable, "-c", _LOAD], capture_output=True, text=True, check=True, timeout=120
    )
    imported, loaded, mib, packs = map(float, done.stdout.split())
    return imported, loaded, mib, packs


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    rows = [
        f"explain --lines  {figures['explain_lines_per_s']:>10,} /s   {figures['lines']:,} lines",
        *(
            f"decision         {us:>10.2f} us   {category}"
            for category, us in figures["decision_us"].items()
        ),
        f"import           {figures['import_ms']:>10.1f} ms",
        f"load             {figures['load_ms']:>10.1f} ms   {figures['packs']} packs and numbering",
        f"memory           {figures['load_mib']:>10.1f} MiB  for both",
    ]
    return "\n".join(rows)
