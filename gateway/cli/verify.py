"""`acuse verify`: checks proofs offline, with nothing but the files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from gateway.cli.command import command
from gateway.cli.output import error_object, print_error, print_json
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

_SQLITE = b"SQLite format 3\0"
MAX_PROOF_BYTES = 256 * 1024 * 1024


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

    @classmethod
    def read(
        cls,
        policy: Path | None,
        since: Path | None,
        max_age_s: int | None,
        tsa_ca: Path | None = None,
    ) -> Trust:
        """From the files of the options; raises `DataError`."""
        from gateway.ledger.policyfile import MAX_POLICY_BYTES, parse_policy

        known = None
        if since is not None:
            # What is not UTF-8 is no note; the verifier says so in its own words.
            known = read_file(since, 1 << 20).decode("utf-8", "replace")
        trusted = None if policy is None else parse_policy(read_file(policy, MAX_POLICY_BYTES))
        return cls(trusted, known, max_age_s, _stamp_check(tsa_ca))


def _stamp_check(tsa_ca: Path | None) -> StampCheck | None:
    if tsa_ca is None:
        return None
    from gateway.evidence.issuers import MAX_PEM_BYTES
    from gateway.evidence.rfc3161 import trusting

    return trusting(read_file(tsa_ca, MAX_PEM_BYTES))


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
def verify(
    run: Run,
    files: tuple[Path, ...],
    policy: Path | None,
    since: Path | None,
    max_age: int | None,
    tsa_ca: Path | None,
) -> int:
    """Check proofs that `acuse bundle` made, offline.

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
    trust = Trust.read(policy, since, max_age, tsa_ca)
    reports: list[Report] = []
    unreadable = False
    for file in files:
        try:
            report = _checked(file, trust)
        except DataError as error:
            unreadable = True
            if len(files) == 1:
                raise
            _tell_error(run, file, error)
            continue
        reports.append(report)
        print_report(run, report, str(file) if len(files) > 1 else None)
    return gravest(reports, unreadable=unreadable)


def _checked(file: Path, trust: Trust) -> Report:
    if begins_as_ledger(file):
        from gateway.cli.ledgerfile import check_ledger

        return check_ledger(file, None, trust)
    from gateway.ledger.verify import verify_bundle

    return verify_bundle(
        read_file(file, MAX_PROOF_BYTES),
        now_ms=time.time_ns() // 1_000_000,
        policy=trust.policy,
        since=trust.since,
        max_age_s=trust.max_age_s,
        stamp_check=trust.stamp_check,
    )


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


def print_report(run: Run, report: Report, file: str | None) -> None:
    """A verdict with every step: JSON, or a sentence a line."""
    if run.as_json:
        print_json(report.as_json() if file is None else {"file": file, **report.as_json()})
        return
    if file is not None:
        click.secho(file, bold=True)
    verdict, *lines = report.explain()
    good = report.exit_code == 0
    click.secho(verdict, fg="green" if good else "red" if report.exit_code < 4 else "yellow")
    for line in lines:
        click.echo(line)


def _tell_error(run: Run, file: Path, error: DataError) -> None:
    if run.as_json:
        print_json({"file": str(file), "error": error_object(error)})
    else:
        print_error(error)


def begins_as_ledger(path: Path) -> bool:
    """True if the file is a SQLite database; raises `DataError` if it cannot be read."""
    return _head(path, len(_SQLITE)) == _SQLITE


def read_file(path: Path, most_bytes: int) -> bytes:
    """The content of a file; raises `DataError` if it cannot be read or is too large."""
    data = _head(path, most_bytes + 1)
    if len(data) > most_bytes:
        raise DataError(
            f"{path} is larger than {most_bytes} bytes",
            hint="is it the right file?",
            file=str(path),
        )
    return data


def _head(path: Path, size_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size_bytes)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}", hint="name a file", file=str(path)
        ) from None
