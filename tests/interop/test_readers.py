"""The verifiers that are given away, as they are: with openssl, and in Debian's Chromium.

The gateway, the standalone program and the page were written apart. They must come to the same
verdict for the same reason on every proof, whatever was done to it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import re
import resource
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import typst
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, sign_pdf
from pyhanko.sign.fields import SigSeedSubFilter

from gateway.errors import DataError
from gateway.evidence.rfc3161 import trusting
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.verify import verify_bundle
from gateway.sim.authority import Behaviour, StampingAuthority
from tests.hostile import corpus
from tests.interop.peer import PEERS, node_environment
from tests.support.ledgers import MemoryLedger
from tests.support.mutants import Case, cases, mutants
from tests.support.seals import TestSeal, make_seal
from tests.support.standalone import VERIFIER, verifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: An hour after the ledgers of tests begin.
NOW_MS: Final = 1_795_284_000_000
AT: Final = datetime(2026, 11, 21, 17, 0, 10, tzinfo=UTC)
AUTHORITY: Final = StampingAuthority(AT)
MUTANTS: Final = 220
IN_BROWSER: Final = set(list(corpus.JSONS)[::4])
README: Final = Path(__file__).resolve().parent.parent.parent / "README.md"


def stamp(behaviour: Behaviour, text: str) -> bytes:
    digest = hashlib.sha256(text.encode()).digest()
    return AUTHORITY.token(digest, 7, AT, behaviour)


GIVEN: Final = cases(partial(stamp, Behaviour.RIGHT))
#: What a time-stamping authority may do, and what is to be said of its token.
LIES: Final = {
    Behaviour.WRONG_NONCE: "VALID",  # nobody but the one who asked can know it
    Behaviour.UNSORTED: "VALID",
    Behaviour.UNKNOWN_ISSUER: "UNANCHORED",
    Behaviour.OTHER_IMPRINT: "INVALID",
    Behaviour.WRONG_TIME: "INVALID",
    Behaviour.BAD_SIGNATURE: "INVALID",
    Behaviour.EXPIRED: "INVALID",
    Behaviour.NO_EKU: "INVALID",
}


def named(name: str) -> Case:
    return next(case for case in GIVEN if case.name.startswith(name))


def lied(behaviour: Behaviour) -> Case:
    proof = cases(partial(stamp, behaviour))[0].proof
    return Case(f"{LIES[behaviour]} {behaviour}", proof, GIVEN[0].policy)


def flipped(data: bytes) -> bytes:
    """One bit of the text is another."""
    at = data.index("está listo".encode())
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def essence(report: dict[str, Any]) -> dict[str, Any]:
    """What all verifiers must agree on: everything but the words after the reason's step."""
    return {**report, "reason": str(report["reason"]).split(":")[0]}


def ours(case: Case) -> dict[str, Any] | None:
    """The gateway's report; None where there is nothing to judge."""
    try:
        report = verify_bundle(
            case.proof,
            now_ms=NOW_MS,
            policy=None if case.policy is None else parse_policy(case.policy),
            since=case.since,
            max_age_s=case.max_age_s,
            stamp_check=trusting(AUTHORITY.ca_pem),
        )
    except DataError:
        return None
    return report.as_json()


def standalone(case: Case) -> dict[str, Any] | None:
    """The standalone verifier's report, by the openssl of this machine."""
    try:
        policy = None if case.policy is None else verifier.Policy(case.policy)
        tools = verifier.OpenSSL(AUTHORITY.ca_pem, None)
        report = verifier.verify(case.proof, tools, policy, case.since, case.max_age_s, NOW_MS)
    except verifier.NotAProof:
        return None
    found: dict[str, Any] = report.as_json()
    return found


def bounded() -> None:
    """256 MiB, 10 s of processor."""
    resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Page:
    """acuse-verify.html, opened from its file in a browser."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _ask(self, **job: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "failed" not in answer, answer
        # Whatever is done with it: nothing is asked for, and nothing goes wrong.
        assert (answer["asked"], answer["errors"]) == ([], [])
        return answer

    def show(self, files: dict[str, bytes], **options: Any) -> dict[str, Any]:
        """What a person sees who gives it those files."""
        return self._ask(
            op="show", files={name: encoded(data) for name, data in files.items()}, **options
        )

    def verify(self, given: Sequence[Case]) -> list[dict[str, Any] | None]:
        """Its reports on many cases."""
        jobs = []
        for case in given:
            files = {"proof": case.proof, "policy": case.policy, "tsa": AUTHORITY.ca_pem}
            files["since"] = None if case.since is None else case.since.encode()
            options = {"nowMs": NOW_MS}
            if case.max_age_s is not None:
                options["maxAgeS"] = case.max_age_s
            there = {slot: encoded(data) for slot, data in files.items() if data is not None}
            jobs.append({"files": there, "options": options})
        answers = self._ask(op="verify", cases=jobs)["answers"]
        assert all(each.get("expected", True) for each in answers), answers
        return [None if "error" in each else each for each in answers]

    def ed25519(self, triples: Sequence[tuple[bytes, bytes, bytes]]) -> list[list[bool]]:
        """What the browser and what the page itself say of each (key, message, signature)."""
        answers: list[list[bool]] = self._ask(
            op="ed25519", cases=[[encoded(part) for part in triple] for triple in triples]
        )["answers"]
        return answers


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium")
    assert chromium
    address = VERIFIER.with_suffix(".html").as_uri()
    with subprocess.Popen(
        ["node", str(PEERS / "page.js"), address, chromium],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=node_environment(),
    ) as process:
        yield Page(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0


# -- all three -----------------------------------------------------------------------------------


def test_three_verifiers_agree_on_every_verdict(page: Page) -> None:
    given = [*GIVEN, *map(lied, LIES)]
    for case, seen in zip(given, page.verify(given), strict=True):
        report, program = ours(case), standalone(case)
        assert report is not None
        assert program is not None
        assert seen is not None
        assert report["verdict"] == case.name.split()[0], case.name
        assert essence(program) == essence(report) == essence(seen), case.name


def tokens_of(proof: bytes) -> list[tuple[bytes, str]]:
    """The time stamps of a bundle, each with the note it is over; none if it is no bundle."""
    try:
        items = json.loads(proof)["timestamps"]
        return [(base64.b64decode(each["token"], validate=True), each["over"]) for each in items]
    except (ValueError, KeyError, TypeError):
        return []


def refuses_stamp(report: dict[str, Any]) -> bool:
    """Whether a report finds fault with a time stamp."""
    return {"name": "timestamp", "ok": False} in report["checks"]


def test_three_verifiers_agree_on_whatever_becomes_of_a_proof(page: Page) -> None:
    chosen = random.randrange(1 << 32)
    print(f"seed {chosen}")
    changed = list(mutants(random.Random(chosen), GIVEN, MUTANTS))
    found: Counter[str] = Counter()
    known = frozenset(token for case in GIVEN for token, _ in tokens_of(case.proof))
    for case, seen in zip(changed, page.verify(changed), strict=True):
        report, program = ours(case), standalone(case)
        if report is None or program is None or seen is None:
            assert report == program == seen, case.name
            found["none"] += 1
            continue
        reports = [program, report, seen]
        changed_stamp = any(token not in known for token, _ in tokens_of(case.proof))
        if changed_stamp and len({refuses_stamp(each) for each in reports}) == 2:
            # Changed where no signature covers it: what it proves is the same, and some readers
            # pass over that where others, as openssl, refuse to parse it.
            found["padded"] += 1
            continue
        assert essence(program) == essence(report) == essence(seen), case.name
        found[report["verdict"]] += 1
    assert found["INVALID"] > MUTANTS / 4, found
    assert found["padded"] < MUTANTS / 10, found


@pytest.mark.parametrize("name", corpus.JSONS)
def test_hostile_files_are_judged_alike_and_within_bounds(
    page: Page, tmp_path: Path, name: str
) -> None:
    policy = f"log {corpus.LEDGER.vkey}\nquorum none\n".encode()
    case = Case(name, corpus.JSONS[name](), policy, since=corpus.NOTE)
    report = ours(case)
    # Ten megabytes take a while to bring into a browser, so not every one of them goes there.
    seen = page.verify([case])[0] if name in IN_BROWSER else report
    (tmp_path / "hostile").write_bytes(case.proof)
    (tmp_path / "policy").write_bytes(policy)
    (tmp_path / "note").write_text(corpus.NOTE)
    (tmp_path / "tsa").write_bytes(AUTHORITY.ca_pem)
    options = ("--policy", "policy", "--since", "note", "--tsa-ca", "tsa", "--json")
    done = subprocess.run(
        [sys.executable, "-I", str(VERIFIER), "hostile", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=bounded,
    )
    program = json.loads(done.stdout)
    if report is None:
        assert (seen, done.returncode, program["error"]["code"]) == (None, 65, "data")
        return
    assert seen is not None
    assert essence(program) == essence(report) == essence(seen)


# -- the program, with openssl -------------------------------------------------------------------


def checked(directory: Path, case: Case, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of `python3 acuse-verify.py`, as a stranger runs it."""
    files = {"proof.json": case.proof, "tsa.pem": AUTHORITY.ca_pem, "trusted.policy": case.policy}
    files["known"] = None if case.since is None else case.since.encode()
    arguments = ["--tsa-ca", "tsa.pem"] if "--no-tsa" not in options else []
    for name, option in (("trusted.policy", "--policy"), ("known", "--since")):
        arguments += [] if files[name] is None else [option, name]
    for name, data in files.items():
        if data is not None:
            (directory / name).write_bytes(data)
    if case.max_age_s is not None:
        arguments += ["--max-age", f"{case.max_age_s}s"]
    done = subprocess.run(
        [sys.executable, "-I", str(VERIFIER), "proof.json", "--json", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    report: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, report


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("VALID delivered", 0),
        ("FORK", 2),
        ("STALE", 3),
        ("STALE old", 3),
        ("UNANCHORED no policy", 4),
        ("UNANCHORED unproven", 4),
        ("NOT-FINAL", 5),
        ("VALID-ERASED", 6),
        ("AMBIGUOUS", 7),
    ],
)
def test_a_stranger_gets_the_verdict_as_exit_code(tmp_path: Path, name: str, code: int) -> None:
    ended, report = checked(tmp_path, named(name))
    assert (ended, report["verdict"]) == (code, name.split()[0])


def test_one_bit_of_the_text_changes_the_verdict(tmp_path: Path) -> None:
    case = named("VALID delivered")
    ended, report = checked(tmp_path, Case("flipped", flipped(case.proof), case.policy))
    assert (ended, report["verdict"], report["reason"].split(":")[0]) == (
        1,
        "INVALID",
        "commitments",
    )


def test_without_an_authority_no_token_is_believed(tmp_path: Path) -> None:
    ended, report = checked(tmp_path, named("VALID delivered"), "--no-tsa")
    assert (ended, report["reason"].split(":")[0]) == (4, "timestamp")


# -- certificates --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seal() -> TestSeal:
    """A seal that is still good when this is run in many years."""
    return make_seal(days=36_500)


@pytest.fixture(scope="module")
def certificate(seal: TestSeal) -> bytes:
    """A page with a proof attached, sealed."""
    octets = ",".join(map(str, GIVEN[0].proof))
    made = typst.compile(
        PAPER.encode(), format="pdf", pdf_standards=["a-3b"], sys_inputs={"proof": octets}
    )
    assert isinstance(made, bytes)
    meta = PdfSignatureMetadata(
        field_name="AcuseSeal",
        certify=True,
        subfilter=SigSeedSubFilter.PADES,
        md_algorithm="sha256",
    )
    sealed = sign_pdf(IncrementalPdfFileWriter(io.BytesIO(made)), meta, signer=seal.signer)
    octets_of: bytes = sealed.getvalue()
    return octets_of


PAPER: Final = """
#set document(title: "x", date: datetime(year: 2026, month: 11, day: 21))
#pdf.attach("acuse-proof.json", bytes(sys.inputs.proof.split(",").map(int)),
  relationship: "data", mime-type: "application/json", description: "proof")
What the page says
"""


def paper(directory: Path, pdf: bytes, signer_ca: bytes | None) -> tuple[int, dict[str, Any]]:
    """Exit code and report of the program on a certificate."""
    given = {
        "paper.pdf": pdf,
        "policy": GIVEN[0].policy,
        "tsa": AUTHORITY.ca_pem,
        "seal": signer_ca,
    }
    for name, data in given.items():
        if data is not None:
            (directory / name).write_bytes(data)
    options = ["--policy", "policy", "--tsa-ca", "tsa", "--json"]
    options += [] if signer_ca is None else ["--signer-ca", "seal"]
    done = subprocess.run(
        [sys.executable, "-I", str(VERIFIER), "paper.pdf", *options],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, report


def on_page(page: Page, pdf: bytes, signer_ca: bytes | None) -> dict[str, Any]:
    files = {"c.pdf": pdf, "trusted.policy": GIVEN[0].policy or b"", "tsa.pem": AUTHORITY.ca_pem}
    return page.show(files if signer_ca is None else {**files, "seal-ca.pem": signer_ca})


def test_a_certificate_is_never_called_valid_for_its_pages(
    page: Page, tmp_path: Path, certificate: bytes, seal: TestSeal
) -> None:
    stranger = make_seal("Otro sello")
    for authority, reason in (
        (seal.root_pem, "document"),
        (None, "signer"),
        (stranger.root_pem, "signer"),
    ):
        code, report = paper(tmp_path, certificate, authority)
        seen = on_page(page, certificate, authority)
        assert (code, report["verdict"], seen["verdict"]) == (4, "UNANCHORED", "UNANCHORED")
        assert report["reason"].split(":")[0] == seen["reason"].split(":")[0] == reason
        (tmp_path / "seal").unlink(missing_ok=True)


def test_a_changed_byte_of_a_certificate_is_refused(
    page: Page, tmp_path: Path, certificate: bytes, seal: TestSeal
) -> None:
    chance = random.Random(7)
    hole = certificate.index(b"/Contents <") + 11
    end = certificate.index(b">", hole)
    text = certificate.index(b"stream\n", 2000) + 20
    signature = hole + len(certificate[hole:end].rstrip(b"0")) - 8
    places = [text, 12, signature, end - 3, len(certificate) - 8]
    places += [chance.randrange(hole) for _ in range(10)]
    for place in places:
        octet = b"1" if place == end - 3 else bytes([certificate[place] ^ 1])
        changed = certificate[:place] + octet + certificate[place + 1 :]
        code, report = paper(tmp_path, changed, seal.root_pem)
        seen = on_page(page, changed, seal.root_pem)
        # What no longer looks like a PDF or like a proof is not even judged.
        assert code in (1, 65), (place, report)
        assert seen["verdict"] == ("INVALID" if code == 1 else "NOT-A-PROOF"), place
    more = certificate + b"1 0 obj\nendobj\n"
    assert paper(tmp_path, more, seal.root_pem)[1]["reason"].startswith("document: something")
    assert on_page(page, more, seal.root_pem)["reason"].startswith("document: something")


# -- openssl by hand -----------------------------------------------------------------------------


def by_hand() -> str:
    """The commands of the README, as they stand there."""
    found = re.search(r"openssl alone.*?```sh\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    return found[1]


def test_the_commands_of_the_readme_check_a_proof_with_openssl_alone(tmp_path: Path) -> None:
    case = named("VALID delivered")
    assert case.policy is not None

    def run(proof: bytes) -> subprocess.CompletedProcess[str]:
        (tmp_path / "proof.json").write_bytes(proof)
        (tmp_path / "trusted.policy").write_bytes(case.policy or b"")
        (tmp_path / "tsa.pem").write_bytes(AUTHORITY.ca_pem)
        script = ["sh", "-e", "-c", by_hand()]
        return subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = run(case.proof)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert "Verification: OK" in done.stdout
    assert "Time stamp: Nov 21 17:00:10 2026 GMT" in done.stdout
    size = re.search(rb"\\n([0-9]+)\\n", case.proof)
    assert size
    assert run(case.proof.replace(size[0], rb"\n99\n")).returncode != 0


# -- the page, in a browser ----------------------------------------------------------------------


def files_of(case: Case) -> dict[str, bytes]:
    found = {"proof.json": case.proof, "tsa.pem": AUTHORITY.ca_pem}
    if case.policy is not None:
        found["trusted.policy"] = case.policy
    if case.since is not None:
        found["known.note"] = case.since.encode()
    return found


@pytest.mark.parametrize(
    "name",
    [
        "VALID delivered",
        "FORK",
        "STALE",
        "UNANCHORED no policy",
        "NOT-FINAL",
        "VALID-ERASED",
        "AMB",
    ],
)
def test_dropped_files_get_their_verdict(page: Page, name: str) -> None:
    case = named(name)
    seen = page.show(files_of(case))
    assert seen["verdict"] == case.name.split()[0]
    shown = "+34600111222" in seen["text"]
    assert shown is (seen["verdict"] not in {"FORK", "VALID-ERASED"})
    assert seen["focused"] == "result"


def test_one_changed_bit_of_the_text_is_seen_and_nothing_unproven_is_shown(page: Page) -> None:
    case = named("VALID delivered")
    seen = page.show({**files_of(case), "proof.json": flipped(case.proof)})
    assert (seen["verdict"], seen["reason"].split(":")[0]) == ("INVALID", "commitments")
    assert "+34600111222" not in seen["text"]


def test_what_is_no_proof_is_told(page: Page) -> None:
    assert page.show({"notes.txt": b"hello"})["verdict"] == "NOT-A-PROOF"


def test_files_can_be_chosen_by_keyboard(page: Page) -> None:
    assert page.show(files_of(named("VALID delivered")), how="pick")["verdict"] == "VALID"


def test_it_speaks_four_languages_and_fits_a_telephone(page: Page) -> None:
    titles = {"es": "Válida", "en": "Valid", "pt": "Válida", "ca": "Vàlida"}
    seen: dict[str, Any] = {}
    for language, title in titles.items():
        seen = page.show(files_of(GIVEN[0]), locale=language, width=360)
        assert (seen["language"], seen["wide"]) == (language, False)
        assert title in seen["text"].split("\n")
    assert len(set(seen["words"].values())) == 1, "each language has the same words"
    assert page.show(files_of(GIVEN[0]), locale="fr")["language"] == "en"


def test_markup_and_deceiving_characters_in_a_text_are_only_shown(page: Page) -> None:
    ledger, text = MemoryLedger(), "<img src=x onerror=alert(1)> \u202egro.elpmaxe p\u0430ypal"
    ledger.accept("m0", text=text)
    seen = page.show({"proof.json": ledger.bundle("m0")})
    assert "<img src=x onerror=alert(1)>" in seen["text"]
    assert "U+202E, U+0430" in seen["text"]


def test_its_own_ed25519_says_what_the_browser_says(page: Page) -> None:
    chance = random.Random(8032)
    triples = []
    for length in (0, 1, 31, 100, 1000):
        key = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        message, public = chance.randbytes(length), key.public_key().public_bytes_raw()
        signature = key.sign(message)
        order = 2**252 + 27742317777372353535851937790883648493
        again = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
        triples.append((public, message, signature))
        triples.append((public, message + b"x", signature))
        triples.append((public, message, signature[:32] + again))
        triples.append((public, message, bytes([signature[0] ^ 1]) + signature[1:]))
        triples.append((public[:-1] + bytes([public[-1] ^ 0x80]), message, signature))
        triples.append((b"\xff" * 32, message, signature))
    found = page.ed25519(triples)
    assert all(one is other for one, other in found), found
    assert [one for one, _ in found] == [True, *[False] * 5] * 5
