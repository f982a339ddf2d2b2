"""`acuse`: the commands by what they are for, and the exit codes of them all."""

from __future__ import annotations

import click

from gateway import __version__

SECTIONS = (
    ("Try it", ("demo", "simulate")),
    ("Run it", ("config", "serve", "status", "operators", "stop", "manual")),
    ("Messages", ("submit", "messages", "receipts")),
    ("Proof", ("bundle", "certificate", "verify", "ledger", "witness")),
    ("Law", ("policy", "consent", "optout", "registries")),
)

#: CONTRACT, "Commands"; `verify` has its own for what it finds (LEDGER section 5).
EXIT_CODES = (
    (0, "done"),
    (1, "the answer is no"),
    (64, "the command line is wrong"),
    (65, "the input data is wrong"),
    (69, "no daemon answers"),
    (70, "a defect in Acuse"),
    (74, "storage fails"),
    (75, "not now, try again"),
    (77, "not permitted"),
    (78, "the configuration is wrong"),
    (130, "interrupted"),
    (141, "nobody reads the output any more"),
)


class Root(click.Group):
    """The command groups and the exit codes in the help of `acuse`."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in SECTIONS:
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name, self.commands[name].get_short_help_str(68))
                        for name in names
                        if name in self.commands
                    ],
                    col_max=12,
                )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES], col_max=12)
        formatter.write("\n")
        formatter.write_text(
            "`acuse COMMAND --help` explains a command and ends with an example. Data goes to "
            "stdout, talk to stderr; every command takes --json, --config FILE and --socket PATH."
        )


@click.group(
    "acuse",
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="acuse %(version)s")
def root() -> None:
    """A certified-SMS gateway: SMPP to the operators, the law before the wire, and a receipt for
    every message, sealed so that anybody can check it."""
