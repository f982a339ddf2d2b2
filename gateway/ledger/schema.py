"""The tables of the ledger file, by version, forward only.

`entries` and `tiles` are the ledger; everything else can be read faster there but proves nothing.
Personal data stands in no column in clear: content is AES-GCM ciphertext under a key of its
submission, a person is a keyed hash. Indexes are few on purpose: each one costs every message.

`due_ms` is the instant at which something has to happen to an open submission: release of a held
one, confirmation deadline of an accepted one; 0 while it is queued or being sent, so that
`submissions_open` lists a queue in order of arrival.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils import Migrations

if TYPE_CHECKING:
    from sqlite_utils.db import Database

#: "ACUS": tells an Acuse ledger from any other SQLite file.
APPLICATION_ID = 0x41435553
#: The schema this program writes; kept in `PRAGMA user_version`.
SCHEMA_VERSION = 2

#: Conditions and expressions of partial indexes: a query uses one only if it says the same words.
HELD = "closed_ms IS NULL AND state='held'"
WAITING = "closed_ms IS NULL AND state IN ('held','queued')"
DEADLINE = "ifnull(expires_ms, 9223372036854775807)"

migrations = Migrations("acuse")

_TABLES = (
    # `judged_by`: a hash of the rules, calendars and settings by which all that is held was judged.
    """CREATE TABLE log (origin TEXT PRIMARY KEY, created_ms INTEGER NOT NULL,
        judged_by TEXT NOT NULL DEFAULT '') STRICT""",
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT",
    # Only full tiles (256 hashes, c2sp.org/tlog-tiles); the right edge is rebuilt from entries.
    # `root` stands before `hashes` so that reading roots does not follow overflow pages.
    """CREATE TABLE tiles (level INTEGER NOT NULL, idx INTEGER NOT NULL, root BLOB NOT NULL,
        hashes BLOB NOT NULL, PRIMARY KEY (level, idx)) STRICT""",
    """CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, made_ms INTEGER NOT NULL,
        note TEXT NOT NULL) STRICT""",
    # Issuer, sender and operator objects by the hash entries carry: what was true when it was
    # sealed can be shown later, whatever the configuration says by then.
    "CREATE TABLE parties (hash TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT",
    """CREATE TABLE submissions (
        id INTEGER PRIMARY KEY, submission_id TEXT NOT NULL, state TEXT NOT NULL,
        category TEXT NOT NULL, brand TEXT NOT NULL, ref TEXT, person BLOB NOT NULL,
        month TEXT NOT NULL, key BLOB, request BLOB, encoding TEXT NOT NULL, parts INTEGER NOT NULL,
        submitted_ms INTEGER NOT NULL, expires_ms INTEGER, operator TEXT, due_ms INTEGER NOT NULL,
        closed_ms INTEGER, last_seq INTEGER NOT NULL, seal_seq INTEGER, reason TEXT, rules TEXT,
        attempts TEXT, contradicted INTEGER NOT NULL) STRICT""",
    "CREATE UNIQUE INDEX submissions_by_id ON submissions (submission_id)",
    "CREATE UNIQUE INDEX submissions_by_ref ON submissions (brand, ref) WHERE ref IS NOT NULL",
    "CREATE INDEX submissions_open ON submissions (state, due_ms, id) WHERE closed_ms IS NULL",
    # What an opening releases, soonest deadline first; with `reason`, it also answers `status`.
    f"""CREATE INDEX submissions_held ON submissions (due_ms, {DEADLINE}, id, reason)
        WHERE {HELD}""",
    # What an opt-out withdraws. It is led by `person`, but holds only what waits.
    f"CREATE INDEX submissions_waiting ON submissions (person, id) WHERE {WAITING}",
    # Appended in order of arrival and scanned on the rare question by recipient: an index led by
    # `person` would be written at a random place for every message.
    "CREATE INDEX submissions_person ON submissions (id, person)",
    # `id` is the submission's times 256 plus the number: its segments lie side by side.
    """CREATE TABLE segments (
        id INTEGER PRIMARY KEY, submission INTEGER NOT NULL, number INTEGER NOT NULL,
        outcome TEXT NOT NULL, operator TEXT, bind TEXT, message_id TEXT, match_key TEXT,
        command_status INTEGER, sent_ms INTEGER, answered_ms INTEGER, final TEXT,
        submit BLOB, response BLOB) STRICT""",
    "CREATE INDEX segments_by_match_key ON segments (match_key) WHERE match_key IS NOT NULL",
    """CREATE TABLE receipts (
        id INTEGER PRIMARY KEY, submission INTEGER, segment INTEGER, operator TEXT NOT NULL,
        bind TEXT NOT NULL, match_key TEXT, message_state TEXT NOT NULL, final INTEGER NOT NULL,
        error TEXT, network_error_code TEXT, received_ms INTEGER NOT NULL, done_ms INTEGER,
        conflict INTEGER NOT NULL, duplicate_of INTEGER, seq INTEGER NOT NULL, mark BLOB NOT NULL,
        month TEXT NOT NULL, key BLOB, raw BLOB, matched_by TEXT) STRICT""",
    "CREATE INDEX receipts_by_submission ON receipts (submission) WHERE submission IS NOT NULL",
    "CREATE INDEX receipts_orphaned ON receipts (operator, match_key) WHERE submission IS NULL",
    # What a handset sent us that is not a receipt: kept whole before it is answered. One row for
    # each PDU; `whole` is the row that completed the message it is a part of, null while parts
    # are missing, and `seq` the entry that tells of it.
    """CREATE TABLE inbound (
        id INTEGER PRIMARY KEY, operator TEXT NOT NULL, bind TEXT NOT NULL,
        received_ms INTEGER NOT NULL, month TEXT NOT NULL, key BLOB, raw BLOB,
        number INTEGER NOT NULL, total INTEGER NOT NULL, whole INTEGER, submission INTEGER,
        seq INTEGER, text BLOB, optout TEXT) STRICT""",
    "CREATE INDEX inbound_partial ON inbound (id) WHERE whole IS NULL",
    "CREATE INDEX inbound_replies ON inbound (submission) WHERE submission IS NOT NULL",
    """CREATE TABLE optouts (
        id INTEGER PRIMARY KEY, person BLOB NOT NULL, brand TEXT NOT NULL,
        added_ms INTEGER NOT NULL, source TEXT NOT NULL, seq INTEGER NOT NULL,
        month TEXT NOT NULL, key BLOB, number BLOB, suspected INTEGER NOT NULL,
        text BLOB) STRICT""",
    "CREATE UNIQUE INDEX optouts_by_person ON optouts (person, brand)",
    "CREATE INDEX optouts_suspected ON optouts (id) WHERE suspected=1",
    """CREATE TABLE services (
        id INTEGER PRIMARY KEY, person BLOB NOT NULL, brand TEXT NOT NULL, service TEXT NOT NULL,
        made_ms INTEGER NOT NULL, submission INTEGER NOT NULL, request INTEGER, code BLOB,
        tries INTEGER NOT NULL) STRICT""",
    "CREATE INDEX services_by_person ON services (person, made_ms)",
    # When a brand last told a person how to opt out, and the submission that did: one row for each
    # pair, so the table grows with people and not with messages.
    """CREATE TABLE instructed (
        person BLOB NOT NULL, brand TEXT NOT NULL, at_ms INTEGER NOT NULL,
        submission INTEGER NOT NULL, PRIMARY KEY (person, brand)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX instructed_by_time ON instructed (at_ms)",
    # What persons allow. A list of many is taken chunk by chunk: the chunk's row has the key, the
    # commitments and what they have in common, so that ten million opt-outs stay slim.
    """CREATE TABLE consents (
        id INTEGER PRIMARY KEY, person BLOB NOT NULL, brand TEXT NOT NULL, purpose TEXT NOT NULL,
        method TEXT NOT NULL, granted_ms INTEGER NOT NULL, added_ms INTEGER NOT NULL,
        actor TEXT NOT NULL, text_hash BLOB, seq INTEGER NOT NULL,
        month TEXT NOT NULL, key BLOB, number BLOB, details BLOB, request INTEGER, chunk INTEGER,
        place INTEGER NOT NULL, withdrawn_ms INTEGER, withdrawn_seq INTEGER,
        withdrawal BLOB) STRICT""",
    "CREATE INDEX consents_by_person ON consents (person, brand)",
    """CREATE TABLE consent_requests (
        id INTEGER PRIMARY KEY, person BLOB NOT NULL, brand TEXT NOT NULL, purpose TEXT NOT NULL,
        asked_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
        actor TEXT NOT NULL, text_hash BLOB, seq INTEGER NOT NULL, month TEXT NOT NULL, key BLOB,
        number BLOB, details BLOB, closed_ms INTEGER) STRICT""",
    "CREATE INDEX consent_requests_open ON consent_requests (person) WHERE closed_ms IS NULL",
    """CREATE TABLE chunks (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, brand TEXT NOT NULL, count INTEGER NOT NULL,
        added_ms INTEGER NOT NULL, actor TEXT NOT NULL, seq INTEGER NOT NULL,
        month TEXT NOT NULL, key BLOB, details BLOB, leaves BLOB NOT NULL) STRICT""",
    """CREATE TABLE suppressions (
        person BLOB NOT NULL, brand TEXT NOT NULL, chunk INTEGER NOT NULL, place INTEGER NOT NULL,
        source INTEGER NOT NULL, added_ms INTEGER NOT NULL, number BLOB,
        PRIMARY KEY (person, brand)) STRICT, WITHOUT ROWID""",
    # Do-not-contact registries: keyed hashes only, the numbers themselves are not kept.
    """CREATE TABLE snapshots (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, as_of_ms INTEGER NOT NULL, state TEXT NOT NULL,
        begun_ms INTEGER NOT NULL, actor TEXT NOT NULL, members INTEGER NOT NULL, digest BLOB,
        imported_ms INTEGER, seq INTEGER) STRICT""",
    """CREATE TABLE listed (snapshot INTEGER NOT NULL, person BLOB NOT NULL,
        PRIMARY KEY (snapshot, person)) STRICT, WITHOUT ROWID""",
    # What caps count: one row for each message that took a place, by recipient, so that a look-up
    # is one range of one tree. Small on purpose: three for each of a million people are on disk.
    """CREATE TABLE sent (
        person BLOB NOT NULL, brand TEXT NOT NULL, at_ms INTEGER NOT NULL,
        submission INTEGER NOT NULL, category TEXT NOT NULL, campaign BLOB NOT NULL,
        undelivered INTEGER NOT NULL,
        PRIMARY KEY (person, brand, at_ms, submission)) STRICT, WITHOUT ROWID""",
    # Those that wait for a place, and no others: a place that is given back goes to them.
    """CREATE INDEX submissions_capped ON submissions (person, brand)
        WHERE reason = 'cap' AND closed_ms IS NULL""",
)


@migrations()
def v1_first_landing(db: Database) -> None:
    """Everything of schema version 1."""
    for statement in _TABLES:
        db.execute(statement)


_EVIDENCE = (
    # What stands outside vouches for a checkpoint: RFC 3161 tokens (DER TimeStampToken) and
    # cosignature lines. `hash` is what the x.Anchor entry `seq` commits to; null until it stands.
    """CREATE TABLE tokens (
        id INTEGER PRIMARY KEY, size INTEGER NOT NULL, tsa TEXT NOT NULL, at_ms INTEGER NOT NULL,
        accuracy_ms INTEGER NOT NULL, token BLOB NOT NULL, hash TEXT NOT NULL,
        seq INTEGER) STRICT""",
    "CREATE UNIQUE INDEX tokens_by_size ON tokens (size, tsa)",
    "CREATE INDEX tokens_by_anchor ON tokens (seq)",
    """CREATE TABLE cosignatures (
        id INTEGER PRIMARY KEY, size INTEGER NOT NULL, witness TEXT NOT NULL,
        at_ms INTEGER NOT NULL, line TEXT NOT NULL, hash TEXT NOT NULL, seq INTEGER) STRICT""",
    "CREATE UNIQUE INDEX cosignatures_by_size ON cosignatures (size, witness)",
    # The keys of the log: `note` is the checkpoint that both the old and the new key signed.
    """CREATE TABLE rotations (
        seq INTEGER PRIMARY KEY, old TEXT NOT NULL, new TEXT NOT NULL, note TEXT) STRICT""",
    # What must not be erased, and who said so.
    """CREATE TABLE holds (
        submission INTEGER PRIMARY KEY, placed_ms INTEGER NOT NULL, actor TEXT NOT NULL,
        why TEXT NOT NULL, seq INTEGER NOT NULL) STRICT""",
    # Submissions that outlived their retention month (held, or open then): the month whose KEK
    # wraps their key now.
    "CREATE TABLE kept (submission INTEGER PRIMARY KEY, month TEXT NOT NULL) STRICT",
    # 1 from an erasure until what SQLite leaves in unused parts of pages is overwritten.
    "ALTER TABLE log ADD COLUMN unswept INTEGER NOT NULL DEFAULT 0",
)


@migrations()
def v2_evidence(db: Database) -> None:
    """Schema version 2: what vouches for checkpoints, rotations of the log key, legal holds."""
    for statement in _EVIDENCE:
        db.execute(statement)
    db.execute("PRAGMA user_version=2")
