"""Man pages and shell completion, made from the very help that `--help` prints.

One page a command of the first level with those below it, `acuse(1)` over all, and `acuse.toml(5)`
from the descriptions of the settings. `make install` writes them.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import get_completion_class

from gateway import __version__
from gateway.cli.command import ExampleCommand, command, write_file
from gateway.cli.output import print_json, say
from gateway.cli.root import EXIT_CODES, SECTIONS, root
from gateway.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.cli.command import Run

#: Where each shell looks below `share`.
_COMPLETIONS: Final = {
    "bash": "bash-completion/completions/acuse",
    "zsh": "zsh/site-functions/_acuse",
    "fish": "fish/vendor_completions.d/acuse.fish",
}


@command(root, "manual", example="acuse manual /usr/local/share", needs="")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def manual(run: Run, directory: Path) -> None:
    """Write man pages and shell completion below DIR.

    DIR is a share directory: pages go to man/man1 and man/man5, completion to where bash, zsh and
    fish look for it.
    """
    files = {f"man/man{name[-1]}/{name}": text for name, text in pages().items()}
    for shell, place in _COMPLETIONS.items():
        files[place] = completion(shell)
    for place, text in files.items():
        path = directory / place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{path.parent} cannot be made: {error.strerror}",
                hint="name a directory that you may write to",
                file=str(path.parent),
            ) from None
        write_file(path, text.encode())
        if run.as_json:
            print_json({"file": str(path)})
    if not run.as_json:
        say(f"{len(files)} files written below {directory}")


def completion(shell: str) -> str:
    """The script that completes `acuse` in *shell*: bash, zsh or fish."""
    made = get_completion_class(shell)
    assert made is not None, f"click completes nothing in {shell}"
    return made(root, {}, "acuse", "_ACUSE_COMPLETE").source()


def pages() -> dict[str, str]:
    """Every page by its name, such as `acuse-submit.1`, as roff (man(7))."""
    found = {"acuse.1": _overview(), "acuse.toml.5": _settings()}
    context = click.Context(root, info_name="acuse", **root.context_settings)
    for name, each in root.commands.items():
        found[f"acuse-{name}.1"] = _page(name, each, context)
    return found


def _overview() -> str:
    lines = [*_head("acuse", 1, "a certified-SMS gateway"), ".SH SYNOPSIS", ".B acuse"]
    lines += [".RI [ OPTIONS ]", ".I COMMAND", ".RI [ ARGS ]...", ".SH DESCRIPTION"]
    lines += _prose(root.help or "")
    lines.append(".SH COMMANDS")
    for title, names in SECTIONS:
        lines.append(f".SS {_text(title)}")
        for name in names:
            if name in root.commands:
                short = root.commands[name].get_short_help_str(200)
                lines += [".TP", f".BR acuse\\-{_text(name)} (1)", _text(short)]
    lines.append(".SH EXIT STATUS")
    for code, meaning in EXIT_CODES:
        lines += [".TP", f".B {code}", _text(meaning)]
    lines += [
        ".PP",
        _text("acuse verify has codes of its own for what it finds."),
        ".SH FILES",
        ".TP",
        ".I /etc/acuse/acuse.toml",
        "The configuration;",
        ".BR acuse.toml (5)",
        "explains it.",
        ".SH ENVIRONMENT",
        ".TP",
        ".B ACUSE_CONFIG",
        "The configuration, in place of that file.",
    ]
    return _joined([*lines, *_see_also("acuse.toml(5)")])


def _page(name: str, each: click.Command, context: click.Context) -> str:
    lines = _head(f"acuse-{name}", 1, each.get_short_help_str(200).removesuffix("."))
    own = click.Context(each, info_name=name, parent=context)
    if not isinstance(each, click.Group):
        lines += [".SH SYNOPSIS", *_usage(each, own), ".SH DESCRIPTION"]
        lines += [*_prose(each.help or ""), *_options(each, own), *_example(each)]
        return _joined([*lines, *_see_also("acuse(1)")])
    lines.append(".SH SYNOPSIS")
    below = [
        (key, sub, click.Context(sub, info_name=key, parent=own))
        for key, sub in each.commands.items()
    ]
    for number, (_, sub, inner) in enumerate(below):
        lines += [".br"] * bool(number) + _usage(sub, inner)
    lines += [".SH DESCRIPTION", *_prose(each.help or ""), ".SH COMMANDS"]
    for key, sub, inner in below:
        lines += [f".SS acuse {_text(name)} {_text(key)}", *_prose(sub.help or "")]
        lines += [*_options(sub, inner, heading=False), *_example(sub, heading=False)]
    return _joined([*lines, *_see_also("acuse(1)")])


def _settings() -> str:
    from gateway.settings import describe

    lines = _head("acuse.toml", 5, "the configuration of Acuse")
    lines += [".SH DESCRIPTION", "A TOML file. Unknown keys are errors;"]
    lines += [".B acuse config check", "finds everything that is wrong at once, and"]
    lines += [".B acuse config example", "prints a commented one.", ".SH SETTINGS"]
    table = ""
    for each in describe():
        top = each.setting.split(".")[0]
        if top != table:
            lines.append(f".SS {_text(top)}")
            table = top
        lines += [".TP", f".B {_text(each.setting)}", _text(each.doc)]
        facts = [each.kind[:1].upper() + each.kind[1:]]
        facts += [f"Unit: {each.unit}"] if each.unit else []
        facts += ["Required"] if each.required else []
        facts += [f"Default: {each.default}"] if each.default not in (None, '""', "[]") else []
        lines.append(_text(f"{'. '.join(facts)}."))
    return _joined([*lines, *_see_also("acuse(1)")])


# -- roff ------------------------------------------------------------------------------------------


def _head(name: str, section: int, purpose: str) -> list[str]:
    return [
        f'.TH {_text(name.upper())} {section} "" "Acuse {__version__}" "Acuse"',
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_text(name)} \\- {_text(purpose)}",
    ]


def _see_also(page: str) -> list[str]:
    name, section = re.findall(r"[^()]+", page)
    return [".SH SEE ALSO", f".BR {_text(name)} ({section})"]


def _usage(each: click.Command, context: click.Context) -> list[str]:
    pieces = " ".join(each.collect_usage_pieces(context))
    return [f".B {_text(context.command_path)}", _text(pieces)]


def _options(each: click.Command, context: click.Context, *, heading: bool = True) -> Iterator[str]:
    records = [
        record
        for param in each.get_params(context)
        if isinstance(param, click.Option) and (record := param.get_help_record(context))
    ]
    if records and heading:
        yield ".SH OPTIONS"
    for names, doc in records:
        yield ".TP"
        yield f".B {_text(names)}"
        yield _text(doc)


def _example(each: click.Command, *, heading: bool = True) -> Iterator[str]:
    if not isinstance(each, ExampleCommand):
        return
    yield from [".SH EXAMPLE"] if heading else [".PP", "Example:", ".PP"]
    yield ".nf"
    yield from (_text(line) for line in each.example.split("\n"))
    yield ".fi"


def _prose(text: str) -> Iterator[str]:
    """Paragraphs as click lays them out: one that begins with a backspace keeps its lines."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", inspect.cleandoc(text))):
        if number:
            yield ".PP"
        if paragraph.startswith("\b"):
            yield ".nf"
            yield from (_text(line) for line in paragraph.lstrip("\b\n").split("\n"))
            yield ".fi"
        else:
            yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    """*text* as roff takes it literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"^(\s*)([.'])", r"\1\\&\2", text)


def _joined(lines: list[str]) -> str:
    return "\n".join(line for line in lines if line) + "\n"
