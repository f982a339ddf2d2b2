"""Files of some 10 MiB made to cost a verifier time or memory, by name; each is written on demand.

Signed where a signature lets them go further: whoever runs a log may be the attacker.
"""

from __future__ import annotations

import base64
import io
import json
import sqlite3
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.evidence import asic, cades
from gateway.ledger import canonical
from gateway.ledger.note import SignatureLine, join_note, open_note, sign_note
from gateway.ledger.schema import APPLICATION_ID, SCHEMA_VERSION
from gateway.ledger.store import Store
from tests.support.ledgers import MemoryLedger, Witness
from tests.support.seals import SEALED_AT, make_seal

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
SIZE = 10 * MIB
HEAD = '{"format":"acuse-proof/v1",'


def _ledger() -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.submission("m0")
    ledger.checkpoint()
    return ledger


LEDGER = _ledger()
BUNDLE: dict[str, Any] = json.loads(LEDGER.bundle("m0"))
NOTE = LEDGER.notes[0]
LINE = open_note(NOTE)[1][0]


def bundle(**changed: object) -> bytes:
    return json.dumps({**BUNDLE, **changed}, ensure_ascii=False).encode()


def filled(unit: str, head: str, tail: str, size: int = SIZE) -> bytes:
    return (head + unit * (size // len(unit.encode())) + tail).encode()


def proven(proof: str, entry: str = "{}") -> dict[str, str]:
    return {"entry": entry, "proof": proof}


PROOF_HEAD = "c2sp.org/tlog-proof@v1\nindex 0\n"
HASH_ROW = base64.b64encode(bytes(32)).decode() + "\n"


def notes_of(text: str, lines: int) -> list[str]:
    """Different notes, each with as many signature lines of the log's own key."""
    signature = str(LINE) + "\n"
    return [
        text + "\n" + signature * lines + f"\u2014 w{n} {base64.b64encode(bytes(9)).decode()}\n"
        for n in range(64)
    ]


JSONS: dict[str, Callable[[], bytes]] = {
    "deep": lambda: filled("[", HEAD + '"x":', ""),
    "deep-objects": lambda: filled('{"a":', HEAD + '"x":', ""),
    "deep-mixed": lambda: filled('[{"a":', HEAD + '"x":', ""),
    "wide": lambda: filled("[],", HEAD + '"x":[', "1]}"),
    "wide-objects": lambda: filled('{"a":1},', HEAD + '"x":[', "1]}"),
    "wide-numbers": lambda: filled("12345,", HEAD + '"x":[', "1]}"),
    "wide-floats": lambda: filled("1.5,", HEAD + '"x":[', "1]}"),
    "strings": lambda: filled('"",', HEAD + '"x":[', "[[[[1]]]]]}"),
    "strings-distinct": lambda: (
        HEAD + '"x":[' + ",".join(f'"{n:x}"' for n in range(1_200_000)) + "]}"
    ).encode(),
    "keys-distinct": lambda: (
        HEAD + '"x":{' + ",".join(f'"{n:x}":1' for n in range(1_000_000)) + "}}"
    ).encode(),
    "one-key": lambda: filled('"a":1,', HEAD, '"b":1}'),
    "quotes": lambda: filled('\\"', HEAD + '"x":"', ""),
    "backslashes": lambda: filled("\\", HEAD + '"x":"', ""),
    "wide-text": lambda: filled("\U0001f600", HEAD + '"x":"', '"}'),
    "half-wide-text": lambda: filled("a", HEAD + '"x":"\U0001f600', '"}'),
    "escapes": lambda: filled("\\u0041", HEAD + '"x":"', '"}'),
    "surrogates": lambda: filled("\\ud800", HEAD + '"submission_id":"', '"}'),
    "huge-integer": lambda: filled("9", HEAD + '"x":', "}"),
    "huge-float": lambda: filled("9", HEAD + '"x":0.', "}"),
    "huge-exponent": lambda: filled("9", HEAD + '"x":1e', "}"),
    "white": lambda: filled(" ", HEAD, ""),
    "brackets-in-text": lambda: filled("[{", HEAD + '"x":"', '"}'),
    "not-utf8": lambda: HEAD.encode() + b"\xff" * SIZE,
    "nul": lambda: b"\0" * SIZE,
    "brace": lambda: b"{" * SIZE,
    "entries-empty": lambda: filled(
        '{"entry":"{}","proof":""},', HEAD + '"submission_id":"m","log":"l","entries":[', "{}]}"
    ),
    "entries-many": lambda: bundle(
        entries=[proven(PROOF_HEAD + "\no")] * 9_999 + [proven("", "x" * (9 * MIB))]
    ),
    "entries-real": lambda: bundle(entries=BUNDLE["entries"] * 2_400),
    "entry-of-10-mib": lambda: bundle(
        entries=[
            {**BUNDLE["entries"][0], "entry": canonical.encode({"x": "y" * SIZE}).decode()},
            *BUNDLE["entries"][1:],
        ]
    ),
    "entry-of-nested": lambda: bundle(entries=[{**BUNDLE["entries"][0], "entry": "[" * MIB}] * 10),
    "entry-of-lists": lambda: bundle(
        entries=[{**BUNDLE["entries"][0], "entry": '{"x":[' + "[]," * 300_000 + "1]}"}] * 10
    ),
    "proof-of-tiny-rows": lambda: bundle(entries=[proven(PROOF_HEAD + "\n".join("a" * 5 * MIB))]),
    "proof-of-empty-rows": lambda: bundle(entries=[proven("c2sp.org/tlog-proof@v1" + "\n" * SIZE)]),
    "proof-of-hashes": lambda: bundle(
        entries=[proven(PROOF_HEAD + HASH_ROW * (SIZE // 45) + "\n" + NOTE)]
    ),
    "proof-extra": lambda: bundle(
        entries=[proven("c2sp.org/tlog-proof@v1\nextra " + "A" * SIZE + "\nindex 0\n\n" + NOTE)]
    ),
    "notes-signed": lambda: bundle(
        since=[{"note": note, "consistency": []} for note in notes_of(open_note(NOTE)[0], 62)]
    ),
    "notes-long": lambda: bundle(
        since=[
            {"note": note, "consistency": []}
            for note in notes_of("o" * 150_000 + "\n5\n" + HASH_ROW, 62)
        ]
    ),
    "note-of-signatures": lambda: bundle(
        complete=open_note(BUNDLE["complete"])[0] + "\n" + f"{LINE}\n" * 80_000
    ),
    "since-many": lambda: bundle(since=[{"note": "", "consistency": []}] * 300_000),
    "consistency-many": lambda: bundle(
        since=[{"note": NOTE, "consistency": [HASH_ROW[:-1]] * 220_000}]
    ),
    "witnesses-long": lambda: bundle(witnesses=[f"{'w' * 150_000}+00000000+BA" for _ in range(64)]),
    "log-long": lambda: bundle(log="l" * SIZE + "+00000000+AQ=="),
    "name-long": lambda: bundle(submission_id="m" * SIZE),
    "token-long": lambda: bundle(
        timestamps=[
            {"tsa": "t", "over": open_note(NOTE)[0], "token": "A" * SIZE, "consistency": []}
        ]
    ),
    "tokens-nested": lambda: bundle(
        timestamps=[
            {
                "tsa": "t",
                "over": open_note(NOTE)[0],
                "token": base64.b64encode(b"\x30\x80" * 40_000).decode(),
                "consistency": [],
            }
        ]
        * 64
    ),
    "disclose-many": lambda: bundle(disclose={str(n): {} for n in range(600_000)}),
    "disclose-fields": lambda: bundle(
        disclose={"1": {f"f{n}": {"salt": "", "value": ""} for n in range(240_000)}}
    ),
    "disclose-long": lambda: bundle(
        disclose={"1": {"text": {"salt": "00" * 32, "value": "x" * SIZE}}}
    ),
    "disclose-surrogate": lambda: json.dumps(
        {**BUNDLE, "disclose": {"1": {"\ud800": {}}, "\udfff": {}}}
    ).encode(),
    "operators-many": lambda: bundle(operators={f"o{n}": {} for n in range(700_000)}),
    "adjacent-strings": lambda: filled('""  ', HEAD + '"x":[', "1]}"),
    "objects-at-the-limit": lambda: bundle(operators={f"o{n}": {} for n in range(80_000)}),
    "issuer-nested": lambda: bundle(issuer={"x": [[[[[[]]]]]] * 600_000}),
}


def forged(body_of: Callable[[MemoryLedger], None]) -> bytes:
    """A bundle of a log whose keeper signs anything."""
    ledger = MemoryLedger()
    ledger.accept("m0")
    body_of(ledger)
    ledger.checkpoint()
    return ledger.bundle("m0", contents={})


def _many_seals(ledger: MemoryLedger) -> None:
    for _ in range(430):
        ledger.seal("m0", "delivered")


def _wide_parts(ledger: MemoryLedger) -> None:
    ledger.append("F.1", mid="m0", parts=[{}] * 300_000, operator="x", profile="y")


def _many_duplicates(ledger: MemoryLedger) -> None:
    for n in range(9_000):
        ledger.append("x.Duplicate", mid="m0", of=n)


def _rotations() -> bytes:
    ledger = MemoryLedger()
    ledger.submission("m0")
    new = [MemoryLedger(key=f"k{n}").signer for n in range(60)]
    at = [ledger.append("x.KeyRotate", old=ledger.vkey, new=signer.vkey) for signer in new]
    note = sign_note(open_note(ledger.checkpoint())[0], ledger.signer, *new)
    return ledger.bundle("m0", note=note, rotations=[(seq, ledger.raw[seq], note) for seq in at])


LOGS: dict[str, Callable[[], bytes]] = {
    "seals": lambda: forged(_many_seals),
    "parts": lambda: forged(_wide_parts),
    "duplicates": lambda: forged(_many_duplicates),
    "rotations": _rotations,
}


NOTES: dict[str, Callable[[], bytes]] = {
    "note-lines": lambda: filled("\u2014 w AAAAAAAA\n", open_note(NOTE)[0] + "\n", ""),
    "note-signed-lines": lambda: filled(f"{LINE}\n", open_note(NOTE)[0] + "\n", ""),
    "note-text": lambda: filled("line\n", "", f"\n{LINE}\n"),
    "note-name": lambda: filled("n", open_note(NOTE)[0] + "\n\u2014 ", " AAAAAAAA\n"),
    "note-blanks": lambda: filled("\n\n\u2014 ", "o\n", "\n"),
    "note-base64": lambda: filled("A", open_note(NOTE)[0] + "\n\u2014 w ", "\n"),
    "note-63-cosigned": lambda: join_note(
        open_note(NOTE)[0], [LINE, *(SignatureLine("w", bytes(4), bytes(3_000)) for _ in range(63))]
    ).encode(),
}


def _zip(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), asic.MIMETYPE)
        for name, data in files:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, data)
    return made.getvalue()


def _bomb() -> bytes:
    """10 MiB that unpack to 10 GiB and say so nowhere."""
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = machine.compress(bytes(64 * MIB)) + machine.flush()
    return _zip((asic.BUNDLE, block * (SIZE // len(block))), method=zipfile.ZIP_STORED)


def _sealed(bundle_: bytes) -> bytes:
    seal = make_seal()
    return asic.pack_proof(bundle_, lambda data: cades.sign(data, seal.signer, at=SEALED_AT))


ZIPS: dict[str, Callable[[], bytes]] = {
    "zip-bomb": lambda: _zip((asic.BUNDLE, bytes(1 << 30))),
    "zip-bomb-hidden": _bomb,
    "zip-many": lambda: _zip(*((f"f{n}", b"") for n in range(60_000))),
    "zip-stored": lambda: _zip((asic.BUNDLE, bytes(SIZE)), method=zipfile.ZIP_STORED),
    "zip-of-nulls": lambda: b"PK\3\4" + bytes(SIZE),
    "zip-manifest": lambda: _zip(
        (asic.BUNDLE, bundle()), (asic.SIGNATURE, b""), (asic.MANIFEST, b"<a>" * (3 * MIB))
    ),
    "zip-manifest-deep": lambda: _zip(
        (asic.BUNDLE, bundle()), (asic.SIGNATURE, b""), (asic.MANIFEST, b"<a>" * 20_000)
    ),
    "zip-manifest-entities": lambda: _zip(
        (asic.BUNDLE, bundle()),
        (asic.SIGNATURE, b""),
        (asic.MANIFEST, b'<!DOCTYPE a [<!ENTITY b "cccc">]><a>&b;</a>'),
    ),
    "zip-sealed-wide": lambda: _sealed(
        bundle(operators={f"o{n}": {} for n in range(3)}, x=["y" * 10] * 240_000)
    ),
}


def _database(path: Path, *statements: str, fill: Callable[[sqlite3.Connection], None]) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    for statement in statements:
        connection.execute(statement)
    fill(connection)
    connection.commit()
    connection.close()


LOG = "CREATE TABLE log (origin TEXT)"
COUNT = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n)"
REST = (
    "CREATE TABLE tiles (level INTEGER, idx INTEGER, hashes BLOB)",
    "CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, made_ms INTEGER, note TEXT)",
    "CREATE TABLE submissions (submission_id TEXT, key BLOB)",
)


def _origin(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO log VALUES (?)", (LEDGER.origin,))


def _blobs(connection: sqlite3.Connection) -> None:
    _origin(connection)
    connection.execute("INSERT INTO entries VALUES (0, zeroblob(10000000))")


def _rows(connection: sqlite3.Connection) -> None:
    _origin(connection)
    connection.executemany(
        "INSERT INTO entries VALUES (?, x'7b7d')", ((n,) for n in range(700_000))
    )


def _far(connection: sqlite3.Connection) -> None:
    _origin(connection)
    connection.execute("INSERT INTO entries VALUES (9223372036854775807, x'7b7d')")


def _notes(connection: sqlite3.Connection) -> None:
    _origin(connection)
    connection.execute("INSERT INTO entries VALUES (0, ?)", (LEDGER.raw[0],))
    connection.executemany(
        "INSERT INTO checkpoints VALUES (?, 0, ?)", ((n, NOTE) for n in range(50_000))
    )


def _generated(connection: sqlite3.Connection) -> None:
    _origin(connection)
    connection.execute("INSERT INTO entries(seq) VALUES (0)")


GENERATED = (
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY,"
    " entry BLOB GENERATED ALWAYS AS (zeroblob(900000000)) VIRTUAL)"
)
ENTRIES = "CREATE TABLE entries (seq INTEGER PRIMARY KEY, entry BLOB)"
DATABASES: dict[str, tuple[tuple[str, ...], Callable[[sqlite3.Connection], None]]] = {
    "ledger-endless-view": (
        (LOG, f"CREATE VIEW entries AS {COUNT} SELECT i AS seq, x'7b7d' AS entry FROM n", *REST),
        _origin,
    ),
    "ledger-endless-log": (
        (f"CREATE VIEW log AS {COUNT} SELECT i AS origin FROM n WHERE i<0", ENTRIES, *REST),
        lambda _: None,
    ),
    "ledger-generated": (
        (
            LOG,
            GENERATED,
            *REST,
        ),
        _generated,
    ),
    "ledger-blob": ((LOG, ENTRIES, *REST), _blobs),
    "ledger-rows": ((LOG, ENTRIES, *REST), _rows),
    "ledger-far": ((LOG, ENTRIES, *REST), _far),
    "ledger-notes": ((LOG, ENTRIES, *REST), _notes),
    "ledger-no-tables": ((LOG,), _origin),
    "ledger-many-tables": (
        (LOG, ENTRIES, *REST, *(f"CREATE TABLE t{n}(a)" for n in range(2_500))),
        _origin,
    ),
}


def _witness_rows(count: int) -> str:
    return "".join(f"witness w{n} {Witness(f'w{n}.example').vkey}\n" for n in range(count))


POLICIES: dict[str, Callable[[], bytes]] = {
    "policy-logs": lambda: (
        "".join(f"log {MemoryLedger(key=f'k{n}').vkey}\n" for n in range(9_000)) + "quorum none\n"
    ).encode(),
    "policy-witnesses": lambda: (
        f"log {LEDGER.vkey}\n" + _witness_rows(8_000) + "quorum none\n"
    ).encode(),
    "policy-groups": lambda: (
        _witness_rows(10) + "".join(f"group g{n} 1 w0\n" for n in range(60_000))
    ).encode(),
    "policy-blanks": lambda: b" \t" * (MIB // 2 - 8) + b"\nquorum none\n",
    "policy-comments": lambda: b"#\n" * (MIB // 2 - 8) + b"quorum none\n",
    "policy-10-mib": lambda: b"log x\n" * (SIZE // 6),
    "policy-nul": lambda: b"\0" * 1000,
    "policy-one-line": lambda: b"group g 1" + b" w" * (MIB // 2 - 8),
}

FILES = {**JSONS, **LOGS, **NOTES, **ZIPS}


def write(name: str, path: Path) -> None:
    """The file *name* of `FILES`, `DATABASES` or `POLICIES`, at *path*."""
    if name in DATABASES:
        statements, fill = DATABASES[name]
        _database(path, *statements, fill=fill)
    else:
        path.write_bytes((FILES.get(name) or POLICIES[name])())


def container() -> bytes:
    """A good container."""
    return _sealed(bundle())


def ledger_file() -> bytes:
    """A ledger file of one submission, whole."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "ledger.db")
        store = Store.open(path, LEDGER.origin, now_ms=LEDGER.now_ms)
        store.append("x.Genesis", LEDGER.now_ms, {"software": "acuse test"})
        for _ in range(299):
            store.append("x.Boot", LEDGER.now_ms, {"software": "acuse test"})
        store.flush()
        store.commit()
        store.close()
        return path.read_bytes()
