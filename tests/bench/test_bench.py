"""The benchmark measures what it says, on a load too small to say anything about speed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.policy.rules import CATEGORIES
from tests.bench import caps, policy
from tests.bench.__main__ import HEADER, about, line, print_profile, summary
from tests.bench.load import ceiling, measure

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_run_counts_every_message_once_and_fits_the_table() -> None:
    runs = [measure(window, 200) for window in (5, 50)]
    assert [run.window for run in runs] == [5, 50]
    assert all(run.commits > 4 and run.disk_bytes > 200_000 for run in runs)
    row = {"window": 50, "simulator": round(ceiling(50, 500)), **summary(runs)}
    assert row["slowest"] <= row["rate"] <= row["fastest"]
    assert row["simulator"] > 0
    assert len(line(row)) == len(HEADER) <= 100
    assert about()["python"]


def test_promotions_under_a_cap_are_measured_too() -> None:
    assert measure(20, 150, capped=True).messages == 150


def test_a_profile_names_the_rooms_of_the_hot_path(capsys: pytest.CaptureFixture[str]) -> None:
    print_profile(20, 200)
    shown = capsys.readouterr().out
    for name in ("gateway/ledger/store.py", "gateway/daemon/receipts.py", "gateway/smpp/codec.py"):
        assert name in shown


def test_the_places_of_some_people_are_kept_found_and_measured(tmp_path: Path) -> None:
    figures = caps.measure(tmp_path, 300)
    assert figures["places"] == 900
    assert figures["bytes a place"] > 0


def test_the_figures_of_policy_are_complete() -> None:
    figures = policy.measure(lines=120, runs=1)
    assert set(figures["decision_us"]) == {*CATEGORIES, "all"}
    assert all(us > 0 for us in figures["decision_us"].values())
    assert figures["packs"] >= 6
    assert figures["load_mib"] > 1
    shown = policy.table(figures)
    assert "promotional" in shown
    assert max(map(len, shown.splitlines())) <= 100
