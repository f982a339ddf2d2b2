"""`acuse config`: check a configuration, explain its settings, print an example."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import click

from gateway.cli.command import command, group
from gateway.cli.output import print_json, warn, width_of_terminal
from gateway.cli.root import root
from gateway.errors import UsageError

if TYPE_CHECKING:
    from gateway.cli.command import Run
    from gateway.settings.describe import Description

config = group(root, "config", "Check the configuration, explain it, print an example.")


@command(config, "check", example="acuse config check --config acuse.toml", needs="config")
def check(run: Run) -> None:
    """Find everything that is wrong with the configuration, at once.

    Exit code 78 if anything is. Warnings are what works and is probably not meant.
    """
    settings = run.settings()
    if run.as_json:
        print_json(
            {
                "ok": True,
                "file": str(settings.path),
                "digest": settings.digest,
                "warnings": [warning._asdict() for warning in settings.warnings],
            }
        )
        return
    for warning in settings.warnings:
        warn(f"{warning.setting} {warning.message}", warning.hint)
    operators, routes = len(settings.operators), len(settings.routes)
    click.echo(
        f"{settings.path}: good ({operators} operator{'s' * (operators != 1)}, "
        f"{routes} route{'s' * (routes != 1)}, ledger {settings.origin})"
    )


@command(config, "describe", example="acuse config describe operators.NAME.window", needs="")
@click.argument("setting", required=False)
def describe(run: Run, setting: str | None) -> None:
    """Explain every setting, or those whose path begins with SETTING."""
    from gateway.settings import describe as every
    from gateway.settings.reading import nearest_hint

    listed = every()
    chosen = [item for item in listed if setting is None or _is_in(item.setting, setting)]
    if not chosen:
        raise UsageError(
            f"there is no setting {setting!r}",
            hint=nearest_hint(str(setting), [item.setting for item in listed]),
        )
    for item in chosen:
        if run.as_json:
            print_json(item.as_dict())
        else:
            _print_setting(item)


def _is_in(path: str, asked: str) -> bool:
    return path == asked or path.startswith((f"{asked}.", f"{asked}["))


def _print_setting(item: Description) -> None:
    click.secho(item.setting, bold=True)
    facts = [item.kind]
    if item.unit:
        facts.append(f"unit {item.unit}")
    if item.required:
        facts.append("required")
    elif item.default is not None:
        facts.append(f"default {item.default}")
    if item.example not in (None, item.default):
        facts.append(f"for example {item.example}")
    width = min(width_of_terminal() or 80, 100) - 4
    for text in (item.doc, "; ".join(facts)):
        for line in textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False):
            click.echo(f"    {line}")
    click.echo()


@command(config, "example", example="acuse config example > acuse.toml", needs="")
def example(run: Run) -> None:
    """Print a commented configuration with every setting."""
    from gateway.settings import example as text

    if run.as_json:
        print_json({"example": text()})
    else:
        sys.stdout.write(text())
