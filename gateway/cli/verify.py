"""`acuse verify`: checks proofs offline, with nothing but the files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.command import command
from gateway.cli.explaining import LANGUAGES, explain, language
from gateway.cli.output import error_object, plain, print_error, print_json
from gateway.cli.proofkinds import examine
from gateway.cli.reading import read_file, read_note
from gateway.cli.root import root
from gateway.cli.words import span
from gateway.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.command import Run
    from gateway.ledger.policyfile import Policy
    from gateway.ledger.report import Report
    from gateway.ledger.stamps import StampCheck

F = TypeVar("F", bound="Callable[..., int | None]")

_MAX_PEM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Trust:
    """What a verifier brings along: keys and issuers to believe, a checkpoint known before, a
    largest age.
    """

    policy: Policy | None
    since: str | None
    max_age_s: int | None
    #: Which time stamps to believe; without it none is.
    stamp_check: StampCheck | None = None
    #: Issuers of seals, and of the time stamps in certificates (PEM).
    signer_ca: bytes | None = None
    tsa_ca: bytes | None = None

    @classmethod
    def read(
        cls,
        policy: Path | None,
        since: Path | None,
        max_age_s: int | None,
        tsa_ca: Path | None = None,
        signer_ca: Path | None = None,
    ) -> Trust:
        """From the files of the options; raises `DataError`."""
        from gateway.ledger.policyfile import MAX_POLICY_BYTES, parse_policy

        return cls(
            None if policy is None else parse_policy(read_file(policy, MAX_POLICY_BYTES)),
            None if since is None else read_note(since),
            max_age_s,
            _stamp_check(tsa_ca),
            _signer_ca(signer_ca),
            None if tsa_ca is None else read_file(tsa_ca, _MAX_PEM_BYTES),
        )

    def given(self) -> dict[str, Any]:
        """What every verifier takes, as it takes it."""
        return {
            "now_ms": time.time_ns() // 1_000_000,
            "policy": self.policy,
            "since": self.since,
            "max_age_s": self.max_age_s,
            "stamp_check": self.stamp_check,
        }


def _stamp_check(tsa_ca: Path | None) -> StampCheck | None:
    if tsa_ca is None:
        return None
    from gateway.evidence.issuers import MAX_PEM_BYTES
    from gateway.evidence.rfc3161 import trusting

    return trusting(read_file(tsa_ca, MAX_PEM_BYTES))


def _signer_ca(path: Path | None) -> bytes | None:
    if path is None:
        return None
    from gateway.evidence.cades import certificates

    pem = read_file(path, _MAX_PEM_BYTES)
    certificates(pem)  # refuses what holds none, whatever kind of proof is asked about
    return pem


def trust_options(function: F) -> F:
    """What a verifier brings along to trust; `verify` and `ledger verify` take the same."""
    file = click.Path(path_type=Path)
    for option in (
        click.option(
            "--tsa-ca", type=file, metavar="FILE", help="The issuers of time stamps to trust (PEM)."
        ),
        click.option("--max-age", type=span, metavar="SPAN", help="No older than this: 90d."),
        click.option(
            "--since", type=file, metavar="FILE", help="A signed checkpoint known before."
        ),
        click.option(
            "--policy", type=file, metavar="FILE", help="The keys to trust (c2sp.org/tlog-policy)."
        ),
    ):
        function = option(function)
    return function


def explain_options(function: F) -> F:
    """How the verdict is told to people."""
    for option in (
        click.option(
            "--lang",
            type=click.Choice(LANGUAGES),
            help="The language of --explain (default: what LANG says, else en).",
        ),
        click.option(
            "--explain",
            "in_words",
            is_flag=True,
            help="Say in plain words what was checked, by whose word, and what it does not mean.",
        ),
    ):
        function = option(function)
    return function


@command(
    root,
    "verify",
    example="acuse verify proof.json --policy trusted.policy --tsa-ca tsa-ca.pem",
    needs="",
)
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@trust_options
@click.option(
    "--signer-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The issuers of seals to trust (PEM).",
)
@explain_options
def verify(
    run: Run,
    files: tuple[Path, ...],
    policy: Path | None,
    since: Path | None,
    max_age: int | None,
    tsa_ca: Path | None,
    signer_ca: Path | None,
    in_words: bool,
    lang: str | None,
) -> int:
    """Check proofs of every kind, offline.

    Bundles, certificates, ASiC-E containers, checkpoints, ledger files.

    A checkpoint's time stamp is read from FILE.tsr beside it, where there is one.

    \b
    Exit code, the gravest of all files:
      0  VALID         every step holds, the keys are pinned, time-stamped
      1  INVALID       it does not prove what it claims
      2  FORK          the log signed two statements that exclude each other
      3  STALE         older than what is known, or than --max-age
      4  UNANCHORED    consistent, but nothing outside vouches for it
      5  NOT-FINAL     the submission is still open
      6  VALID-ERASED  as VALID, the content was lawfully destroyed
      7  AMBIGUOUS     more than one submission fits the receipt
     65                not a proof at all
    """
    trust = Trust.read(policy, since, max_age, tsa_ca, signer_ca)
    reports: list[Report] = []
    unreadable = False
    for file in files:
        try:
            report = examine(file, trust, quiet=run.as_json)
        except DataError as error:
            unreadable = True
            if len(files) == 1:
                raise
            _tell_error(run, file, error)
            continue
        reports.append(report)
        name = str(file) if len(files) > 1 else None
        print_report(run, report, name, (lang or language()) if in_words else None)
    return gravest(reports, unreadable=unreadable)


def gravest(reports: list[Report], *, unreadable: bool) -> int:
    """The exit code of several verdicts; a file that is no proof stands after INVALID."""
    from gateway.ledger.report import FORK, GRAVITY, INVALID

    found = {report.verdict: report.exit_code for report in reports}
    for verdict in GRAVITY:
        if unreadable and verdict not in (FORK, INVALID):
            return DataError.exit_code
        if verdict in found:
            return found[verdict]
    return DataError.exit_code


def print_report(run: Run, report: Report, file: str | None, lang: str | None = None) -> None:
    """A verdict with every step: JSON, a sentence a line, or explained in the language *lang*."""
    if run.as_json:
        shown = report.as_json() if file is None else {"file": file, **report.as_json()}
        if lang is not None:
            shown["explanation"] = "\n".join(explain(report, lang))
        print_json(shown)
        return
    if file is not None:
        click.secho(file, bold=True)
    verdict, *lines = report.explain() if lang is None else explain(report, lang)
    good = report.exit_code == 0
    click.secho(plain(verdict), fg="green" if good else "red" if report.exit_code < 4 else "yellow")
    for line in lines:
        click.echo("\n".join(plain(row) for row in line.split("\n")))


def _tell_error(run: Run, file: Path, error: DataError) -> None:
    if run.as_json:
        print_json({"file": str(file), "error": error_object(error)})
    else:
        print_error(error)
