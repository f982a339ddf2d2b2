"""`acuse policy`: what the law says about a message that is not sent, and which rules there are."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import click

from gateway.cli.command import DEFAULT_CONFIG, command, group
from gateway.cli.output import plain, print_json, say, width_of_terminal
from gateway.cli.root import root
from gateway.daemon.arguments import CATEGORIES
from gateway.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.cli.command import Run
    from gateway.policy.book import Rulebook
    from gateway.policy.check import Finding
    from gateway.policy.facts import Known
    from gateway.policy.rules import Category, Profile
    from gateway.settings import Settings

policy = group(root, "policy", "Explain decisions and list the rules, with their sources.")

_MAX_REQUEST_BYTES = 16 * 1024 * 1024


@command(
    policy,
    "explain",
    example="""echo '{"to":"+33639980012","now":"2026-11-28T20:59:59Z"}' | \\
    acuse policy explain --json""",
    needs="config",
)
@click.option("--lines", is_flag=True, help="Read and answer one JSON object a line.")
def explain(run: Run, lines: bool) -> int:
    """Say what would become of a message, and why.

    Reads a JSON object on stdin: to and now, and what else is known (category, brand, text,
    location, history, consent, …). Nothing is sent and no daemon is asked. Without --json the
    answer is a paragraph. The profile, the brands and the senders are those of the configuration,
    if there is one; without one no sender is registered anywhere.
    """
    from gateway.policy.explain import explain as answer
    from gateway.policy.explain import explain_lines, judge
    from gateway.policy.prose import paragraph

    settings = _settings(run)
    book, known = _book(settings), _known(settings)
    if lines:
        failed = False
        for line in explain_lines(book, _lines(sys.stdin.buffer), known):
            failed = failed or line.startswith('{"error":')
            _print_line(run, line)
        return DataError.exit_code if failed else 0
    request = _request(sys.stdin.buffer)
    if run.as_json:
        print_json(answer(book, request, known))
    else:
        _print_wrapped(paragraph(judge(book, request, known)))
    return 0


def _print_line(run: Run, line: str) -> None:
    """An answer of `explain_lines`: as it is, or its gist for people."""
    if run.as_json:
        sys.stdout.write(f"{line}\n")
        return
    answer = json.loads(line)
    if "error" in answer:
        error = answer["error"]
        say(f"acuse: error: line {error['fields'].get('line')}: {plain(error['message'])}")
        return
    words = [answer["action"]]
    if answer.get("until"):
        words.append(f"until {answer['until']}")
    if answer.get("reason"):
        words.append(f"({answer['reason']})")
    click.echo(" ".join([*words, *answer.get("rules", [])]))


def _lines(file: IO[bytes]) -> Iterator[str]:
    for line in file:
        yield line.decode("utf-8", "replace")


def _request(file: IO[bytes]) -> object:
    if sys.stdin.isatty():
        say("acuse: note: reading a JSON object from the terminal; end it with Ctrl-D")
    data = file.read(_MAX_REQUEST_BYTES + 1)
    if len(data) > _MAX_REQUEST_BYTES:
        raise DataError(
            "request: it is larger than 16 MiB",
            hint="with --lines, one message a line",
            field="request",
        )
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} (line {error.lineno}, column {error.colno})"
    except (ValueError, RecursionError):
        reason = "it is not UTF-8, or nested too deeply"
    raise DataError(
        f"request: not JSON: {reason}",
        hint="one JSON object on stdin, or one a line with --lines",
        field="request",
    )


def _book(settings: Settings | None) -> Rulebook:
    from gateway.policy.loader import load_rulebook, shipped_packs

    if settings is None:
        return load_rulebook()
    return load_rulebook(
        (shipped_packs(), *settings.policy.packs),
        cast("Profile", settings.gateway.profile),
        overlays=settings.policy.overlays,
        added_holidays=settings.policy.added_holidays,
    )


def _known(settings: Settings | None) -> Known | None:
    """The brands and senders of the configuration, if there is one."""
    from gateway.daemon.parties import identity_of, sender_of
    from gateway.policy.facts import Known

    if settings is None:
        return None
    return Known(
        {name: identity_of(brand) for name, brand in settings.brands.items()},
        {name: sender_of(sender) for name, sender in settings.senders.items()},
    )


def _settings(run: Run) -> Settings | None:
    """The configuration somebody named, or the usual one if it is there."""
    explicit = run.config is not None or bool(os.environ.get("ACUSE_CONFIG"))
    if explicit or os.access(DEFAULT_CONFIG, os.R_OK):
        return run.settings(secrets=False)
    return None


@command(
    policy,
    "list",
    example="acuse policy list FR\nacuse policy list +13105550123 --category promotional --json",
    needs="config",
)
@click.argument("where", metavar="[NUMBER|JURISDICTION]", required=False)
@click.option("--category", type=click.Choice(CATEGORIES), help="Only what is about such messages.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Of that day.")
def list_(run: Run, where: str | None, category: Category | None, at: datetime | None) -> int:
    """List the rules in force today, with their sources.

    For a recipient's number or a jurisdiction (FR, US-FL); by default for all there are. Waivers
    stand at the end.
    """
    from gateway.policy.listing import rules_in_force

    book = _book(_settings(run))
    day = (at or datetime.now(UTC)).date()
    found: dict[object, dict[str, object]] = {}
    for place in [where] if where is not None else sorted(book.packs):
        for rule in rules_in_force(book, place, day, category):
            found.setdefault(rule["id"], rule)
    for rule in found.values():
        if run.as_json:
            print_json(rule)
        elif rule["kind"] == "waiver":
            _print_waiver(rule)
        else:
            _print_rule(rule)
    if not found:
        say("no rule on file limits messages there")
    return 0


def _print_rule(rule: dict[str, object]) -> None:
    about = [plain(rule["layer"]), f"confidence {plain(rule['confidence'])}"]
    if plain(rule["jurisdiction"])[:1].isupper():  # others are packs that are inherited
        about.insert(0, plain(rule["jurisdiction"]))
    if rule["profile"] == "seed":
        about.append("seed profile")
    click.echo(f"{click.style(plain(rule['id']), bold=True)}  {', '.join(about)}")
    _print_wrapped(plain(rule["summary"]), "    ")
    _print_wrapped(f"for {_categories(rule)}; {_in_force(rule)}", "    ")
    _print_wrapped(plain(rule["cite"]), "    ")
    if rule.get("url"):
        click.echo(f"    {plain(rule['url'])}")


def _print_waiver(waiver: dict[str, object]) -> None:
    click.echo(f"{click.style(plain(waiver['id']), bold=True)}  waiver")
    _print_wrapped(plain(waiver["summary"]), "    ")
    _print_wrapped(f"for {_categories(waiver)}; {_in_force(waiver)}", "    ")


def _categories(rule: dict[str, object]) -> str:
    applies = rule["applies"]
    assert isinstance(applies, list)
    every = len(applies) == len(CATEGORIES)
    return "every category" if every else ", ".join(map(str, applies))


def _in_force(rule: dict[str, object]) -> str:
    until = f" until before {rule['expires']}" if rule["expires"] else ""
    return f"since {rule['effective']}{until}"


@command(
    policy,
    "check",
    example="acuse policy check\nacuse policy check ./packs --json",
    needs="config",
)
@click.argument("directories", metavar="[DIR]…", nargs=-1, type=click.Path(path_type=Path))
def check(run: Run, directories: tuple[Path, ...]) -> int:
    """Say what is wrong with the rule packs, or old, or worth knowing.

    Of the shipped ones, the configured ones and those in DIR; a DIR with a default.toml of its own
    stands in for the shipped ones. Ends with 1 when there is an error, 78 when a file cannot be
    read.
    """
    from gateway.policy.check import check_packs

    today = datetime.now(UTC).date()
    overlays: tuple[str, ...] = ()
    settings = _settings(run)
    if settings is not None:
        directories, overlays = (*settings.policy.packs, *directories), settings.policy.overlays
    found, unreadable = check_packs(directories, overlays, today, zone_rules_seen_on(today))
    for finding in found:
        if run.as_json:
            print_json(finding.as_dict())
        else:
            _print_finding(finding)
    levels = [finding.level for finding in found]
    counts = ", ".join(f"{levels.count(level)} {level}s" for level in ("error", "warning", "note"))
    say(counts)
    if unreadable:
        return ConfigError.exit_code
    return 1 if "error" in levels else 0


def _print_finding(finding: Finding) -> None:
    colour = {"error": "red", "warning": "yellow", "note": "cyan"}[finding.level]
    where = f"{finding.file}: {finding.rule}" if finding.rule else finding.file
    click.echo(f"{click.style(f'{finding.level:<8}', fg=colour)} {plain(where)}")
    _print_wrapped(plain(finding.message), "    ")
    if finding.hint:
        _print_wrapped(plain(finding.hint), "    hint: ", "          ")


def zone_rules_seen_on(today: date) -> date:
    """A day on which the pinned zone rules were certainly there already.

    They carry no date: the day their files were installed, or the end of the year of their version.
    """
    from gateway.policy.calendar import data_versions

    year = int(data_versions()["tzdata"][:4])
    files = resources.files("tzdata").joinpath("zoneinfo", "tzdata.zi")
    with resources.as_file(files) as path:
        installed = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    return min(today, installed, date(year, 12, 31))


def _print_wrapped(text: str, indent: str = "", following: str | None = None) -> None:
    width = min(width_of_terminal() or 80, 100)
    click.echo(
        textwrap.fill(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=indent if following is None else following,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
