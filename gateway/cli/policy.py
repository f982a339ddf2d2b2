"""`acuse policy`: what the law says about a message that is not sent, and which rules there are."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, cast

import click

from gateway.cli.command import DEFAULT_CONFIG, command, group
from gateway.cli.output import plain, print_json, say, width_of_terminal
from gateway.cli.root import root
from gateway.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.cli.command import Run
    from gateway.policy.book import Rulebook
    from gateway.policy.rules import Profile

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
    answer is a paragraph. The profile is that of the configuration, if there is one.
    """
    from gateway.policy.explain import explain as answer
    from gateway.policy.explain import explain_lines, judge
    from gateway.policy.prose import paragraph

    book = _book(run)
    if lines:
        failed = False
        for line in explain_lines(book, _lines(sys.stdin.buffer)):
            failed = failed or line.startswith('{"error":')
            _print_line(run, line)
        return DataError.exit_code if failed else 0
    request = _request(sys.stdin.buffer)
    if run.as_json:
        print_json(answer(book, request))
    else:
        _print_wrapped(paragraph(judge(book, request)))
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


def _book(run: Run) -> Rulebook:
    from gateway.policy.loader import load_rulebook

    explicit = run.config is not None or bool(os.environ.get("ACUSE_CONFIG"))
    if explicit or os.access(DEFAULT_CONFIG, os.R_OK):
        settings = run.settings(secrets=False)
        profile = cast("Profile", settings.gateway.profile)
        return load_rulebook(profile=profile, added_holidays=settings.policy.added_holidays)
    return load_rulebook()


@command(
    policy,
    "list",
    example="acuse policy list FR\nacuse policy list +13105550123 --json",
    needs="config",
)
@click.argument("where", metavar="[NUMBER|JURISDICTION]", required=False)
def list_(run: Run, where: str | None) -> int:
    """List the rules in force today, with their sources.

    For a recipient's number or a jurisdiction (FR, US-FL); by default for all there are.
    """
    from gateway.policy.prose import rules_in_force

    book = _book(run)
    now = datetime.now(UTC)
    found: dict[object, dict[str, object]] = {}
    for place in [where] if where is not None else sorted(book.packs):
        for rule in rules_in_force(book, place, now):
            found.setdefault(rule["id"], rule)
    for rule in found.values():
        if run.as_json:
            print_json(rule)
        else:
            _print_rule(rule)
    if not found:
        say("no rule on file limits messages there")
    return 0


def _print_rule(rule: dict[str, object]) -> None:
    applies = rule.get("applies")
    categories = ", ".join(map(str, applies)) if isinstance(applies, list) else ""
    click.echo(
        f"{click.style(plain(rule['id']), bold=True)}  {plain(rule['jurisdiction'])}, "
        f"{plain(rule['layer'])}, confidence {plain(rule['confidence'])}"
    )
    _print_wrapped(f"{plain(rule['summary'])}; for {categories}", "    ")
    _print_wrapped(plain(rule["cite"]), "    ")
    if rule.get("url"):
        click.echo(f"    {plain(rule['url'])}")


def _print_wrapped(text: str, indent: str = "") -> None:
    width = min(width_of_terminal() or 80, 100)
    click.echo(
        textwrap.fill(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
