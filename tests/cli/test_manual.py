"""Man pages and completion say what `--help` says, because both are made from it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import click
import pytest

from gateway.cli.main import main
from gateway.cli.manual import completion, pages
from gateway.cli.root import root
from gateway.settings import describe

if TYPE_CHECKING:
    from pathlib import Path


def plain(roff: str) -> str:
    """A page as it reads, without its macros."""
    text = re.sub(r"^\.[A-Z]+ ?", "", roff, flags=re.MULTILINE).replace("\\&", "")
    for escaped, character in (("\\(ga", "`"), ("\\(ha", "^"), ("\\(ti", "~"), ("\\-", "-")):
        text = text.replace(escaped, character)
    return text.replace("\\e", "\\")


@pytest.mark.parametrize("name", sorted(root.commands))
def test_every_command_and_option_stands_in_a_page(name: str) -> None:
    page = plain(pages()[f"acuse-{name}.1"])
    each = root.commands[name]
    for command in each.commands.values() if isinstance(each, click.Group) else [each]:
        assert str(command.help).split()[0] in page
        for param in command.params:
            if isinstance(param, click.Option) and not param.hidden:
                assert all(option in page for option in param.opts)
                assert " ".join(str(param.help).split()) in page


def test_the_overview_names_every_command_and_the_settings_page_every_setting() -> None:
    made = pages()
    overview, settings = plain(made["acuse.1"]), plain(made["acuse.toml.5"])
    assert all(f"acuse-{name} (1)" in overview for name in root.commands)
    for each in describe():
        assert each.setting in settings
        assert each.doc in settings


def test_nothing_in_a_page_is_a_macro_that_only_looks_like_text() -> None:
    known = {"TH", "SH", "SS", "TP", "PP", "B", "BR", "I", "RI", "nf", "fi", "br", "nh", "ad"}
    for name, page in pages().items():
        assert "\b" not in page, name
        for line in page.splitlines():
            assert not line.startswith("'"), (name, line)
            if line.startswith("."):
                assert line[1:].split(" ")[0] in known, (name, line)


def test_the_files_go_where_man_and_the_shells_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["manual", str(tmp_path), "--json"]) == 0
    named = [json.loads(line)["file"] for line in capsys.readouterr().out.splitlines()]
    assert sorted(named) == sorted(str(path) for path in tmp_path.rglob("*") if path.is_file())
    assert (tmp_path / "man/man1/acuse-submit.1").read_text() == pages()["acuse-submit.1"]
    assert (tmp_path / "man/man5/acuse.toml.5").is_file()
    for shell, place in (
        ("bash", "bash-completion/completions/acuse"),
        ("zsh", "zsh/site-functions/_acuse"),
        ("fish", "fish/vendor_completions.d/acuse.fish"),
    ):
        assert (tmp_path / place).read_text() == completion(shell)
        assert f"_ACUSE_COMPLETE={shell}_complete" in completion(shell)


def test_a_directory_that_cannot_be_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "man").write_text("")
    assert main(["manual", str(tmp_path), "--json"]) == 74
    assert "cannot be made" in json.loads(capsys.readouterr().out)["error"]["message"]
