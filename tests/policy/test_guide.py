"""docs/policy.md: every question in it is asked, every pack and setting in it is loaded."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.policy.explain import explain
from gateway.policy.loader import load_rulebook, shipped_packs
from gateway.settings import load_settings
from gateway.settings.policy import Policy
from tests.support.world import write_config

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text()


class Block(NamedTuple):
    """A fenced block: its words after the fence, and what it says."""

    words: list[str]
    text: str


BLOCKS = [
    Block(words.split(), text)
    for words, text in re.findall(r"^```([^\n]+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
]
QUESTIONS = [
    (block, after, [each for each in BLOCKS[:at] if each.words[1] == "pack"])
    for at, (block, after) in enumerate(pairwise(BLOCKS))
    if block.words[:2] == ["json", "ask"]
]


def house(directory: Path, packs: list[Block]) -> Rulebook:
    """The shipped rules with the packs shown so far; a name shown again goes on."""
    for pack in packs:
        with (directory / pack.words[2]).open("a", encoding="utf-8") as file:
            file.write(pack.text)
    return load_rulebook((shipped_packs(), directory))


@pytest.mark.parametrize(("ask", "answer", "packs"), QUESTIONS)
def test_every_question_of_the_guide_has_the_answer_it_shows(
    book: Rulebook, tmp_path: Path, ask: Block, answer: Block, packs: list[Block]
) -> None:
    assert answer.words == ["json", "answer"]
    rules = house(tmp_path, packs) if "packs" in ask.words else book
    found = explain(rules, json.loads(ask.text))
    shown: dict[str, Any] = json.loads(answer.text)
    assert {key: found.get(key) for key in shown} == shown


def test_the_guide_has_questions_packs_and_settings() -> None:
    kinds = [block.words[1] for block in BLOCKS]
    assert len(QUESTIONS) >= 8
    assert kinds.count("pack") == 2
    assert kinds.count("answer") == len(QUESTIONS)


def test_the_settings_the_guide_shows_work(tmp_path: Path) -> None:
    (shown,) = (block.text for block in BLOCKS if block.words[1] == "config")
    (tmp_path / "packs").mkdir()
    policy = load_settings(write_config(tmp_path, {"movistar": ""}, gateway=shown)).policy
    assert policy.overlays == ("us-conservative",)
    load_rulebook(
        (shipped_packs(), *policy.packs),
        overlays=policy.overlays,
        added_holidays=policy.added_holidays,
    )


def test_every_setting_of_the_policy_table_is_in_the_guide() -> None:
    for setting in fields(Policy):
        assert setting.name in GUIDE
