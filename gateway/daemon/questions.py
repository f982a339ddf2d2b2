"""The commands of the admin socket: which role each needs, and who answers it.

Questions are answered from the file by a read-only connection in a worker thread, so that a long
list never holds up the writer; changes go through the pipeline and are answered when durable.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import trio

from gateway.daemon.arguments import free_text
from gateway.daemon.commands import RESOLUTIONS, Command
from gateway.daemon.custody import ROLES as CUSTODY_ROLES
from gateway.daemon.permissions import ROLES as PERMISSION_ROLES
from gateway.daemon.proofs import SIGNED, UNSIGNED
from gateway.daemon.roles import Role, require
from gateway.errors import AcuseError, DataError, TryAgain, UsageError
from gateway.ledger.proof import MAX_EXTRAS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from gateway.daemon.admin import Connection
    from gateway.daemon.anchoring import Anchoring
    from gateway.daemon.commands import Changes
    from gateway.daemon.custody import Custody
    from gateway.daemon.permissions import Permissions
    from gateway.daemon.pipeline import Pipeline
    from gateway.daemon.planning import Planner
    from gateway.daemon.proofs import Proofs
    from gateway.daemon.state import DaemonState
    from gateway.evidence.permits import PersonRecords
    from gateway.evidence.records import Records

T = TypeVar("T")

_CHUNK = 100
_WAIT_MOST_S = 86_400.0
_WHY_HINT = "say how you know, such as 'operator ticket INC-7'"

#: Every command of the socket, and the least role that may give it.
ROLES = {
    "status": Role.READ,
    "submit": Role.SUBMIT,
    "plan": Role.SUBMIT,
    "messages.list": Role.READ,
    "messages.show": Role.READ,
    "messages.wait": Role.READ,
    "messages.cancel": Role.SUBMIT,
    "messages.replace": Role.SUBMIT,
    "messages.resolve": Role.OPERATOR,
    "receipts.list": Role.READ,
    "receipts.show": Role.READ,
    "bundle": Role.READ,
    "ledger.head": Role.READ,
    "ledger.checkpoint": Role.OPERATOR,
    "ledger.rotate_key": Role.OPERATOR,
    **CUSTODY_ROLES,
    **PERMISSION_ROLES,
    "consent.show": Role.READ,
    "consent.list": Role.READ,
    "consent.export": Role.OPERATOR,
    "optout.show": Role.READ,
    "optout.list": Role.READ,
    "optout.export": Role.OPERATOR,
    "registry.list": Role.READ,
    "optout.due": Role.READ,
    "operators.learn": Role.READ,
    "stop": Role.OPERATOR,
}


class Read(Protocol):
    """How a question is run beside the event loop."""

    async def __call__(self, question: Callable[[], T]) -> T:
        """The answer to *question*."""
        ...


class ThreadRead:
    """Questions in a worker thread, one at a time: they share a connection to the file."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)

    async def __call__(self, question: Callable[[], T]) -> T:
        """The answer to *question*."""
        return await trio.to_thread.run_sync(question, limiter=self._limiter)


class Questions:
    """Answers what connections ask."""

    def __init__(
        self,
        pipeline: Pipeline,
        anchoring: Anchoring,
        changes: Changes,
        permissions: Permissions,
        planner: Planner,
        records: Records,
        permits: PersonRecords,
        proofs: Proofs,
        custody: Custody,
        state: DaemonState,
        read: Read,
        learn: Callable[[str], dict[str, Any]],
    ) -> None:
        self._learn_of = learn
        self._pipeline = pipeline
        self._anchoring = anchoring
        self._changes = changes
        self._permissions = permissions
        self._planner = planner
        self._records = records
        self._lists: dict[str, Callable[[Mapping[str, Any]], Iterator[dict[str, Any]]]] = {
            "messages.list": records.messages,
            "receipts.list": partial(_receipts, records),
            "optout.list": permits.optouts,
            "optout.due": records.due,
            "optout.export": permits.export_optouts,
            "consent.list": permits.consents,
            "consent.export": permits.export_consents,
            "registry.list": permits.registries,
        }
        self._shows = {"consent.show": permits.consent, "optout.show": permits.optout}
        self._proofs = proofs
        self._custody = custody
        self._state = state
        self._read = read

    def ask(
        self,
        connection: Connection,
        request_id: object,
        request: Mapping[str, Any],
        nursery: trio.Nursery,
    ) -> None:
        """Start on a request; `connection.finish` ends it, now or later.

        Raises:
            AcuseError: it is not a known command, or not for this peer.
        """
        name, args = request["cmd"], request["args"]
        role = ROLES.get(name)
        if role is None:
            raise UsageError(
                f"unknown command {name!r}", hint=f"known are {', '.join(ROLES)}", command=name
            )
        require(connection.role, role, name)
        reply = partial(self._reply, connection, request_id)
        if name == "submit":
            if self._state.draining:
                raise TryAgain(
                    "the daemon is stopping", hint="submit again when it is up, with the same ref"
                )
            self._pipeline.command(Command(partial(self._changes.submit, args), reply))
        elif name == "plan":
            plan = partial(self._planner.plan, args)
            self._pipeline.command(Command(lambda ms: plan(ms, trio.current_time()), reply))
        elif name == "messages.cancel":
            cancel = partial(self._changes.cancel, _id(args), connection.peer.name)
            self._pipeline.command(Command(cancel, reply))
        elif name == "messages.replace":
            replace = partial(self._changes.replace, _id(args), args, connection.peer.name)
            self._pipeline.command(Command(replace, reply))
        elif name == "messages.resolve":
            why, peer = free_text(args, "why", _WHY_HINT), connection.peer.name
            resolve = partial(self._changes.resolve, _id(args), _said(args), why, peer)
            self._pipeline.command(Command(resolve, reply))
        elif name in PERMISSION_ROLES:
            change = partial(self._permissions.change, name, args, connection.peer.name)
            self._pipeline.command(Command(change, reply))
        elif name in CUSTODY_ROLES:
            keep = partial(self._custody.do, name, args, connection.peer.name)
            nursery.start_soon(self._await, reply, keep)
        elif name == "status":
            nursery.start_soon(self._status, reply)
        elif name == "messages.show":
            nursery.start_soon(self._answer, reply, partial(self._records.message, _id(args)))
        elif name == "receipts.show":
            nursery.start_soon(self._answer, reply, partial(self._records.receipt, _id(args)))
        elif name in self._lists:
            items = partial(self._lists[name], args)
            nursery.start_soon(self._list, connection, request_id, items)
        elif name in self._shows:
            nursery.start_soon(self._answer, reply, partial(self._shows[name], args))
        elif name == "messages.wait":
            nursery.start_soon(self._wait, reply, args)
        elif name == "ledger.head":
            nursery.start_soon(self._answer, reply, self._head)
        elif name == "ledger.checkpoint":
            nursery.start_soon(self._checkpoint, reply)
        elif name == "ledger.rotate_key":
            nursery.start_soon(self._rotate_key, reply, connection.peer.name)
        elif name == "operators.learn":
            nursery.start_soon(self._answer, reply, partial(self._learn, args))
        elif name == "bundle":
            nursery.start_soon(self._bundle, reply, args)
        else:
            reply({"stopping": True})
            self._state.stop(now=bool(args.get("now")))

    @staticmethod
    def _reply(
        connection: Connection, request_id: object, outcome: dict[str, Any] | AcuseError
    ) -> None:
        connection.finish(
            request_id, outcome if isinstance(outcome, AcuseError) else {"result": outcome}
        )

    async def _answer(
        self,
        reply: Callable[[dict[str, Any] | AcuseError], None],
        question: Callable[[], dict[str, Any]],
    ) -> None:
        try:
            reply(await self._read(question))
        except AcuseError as error:
            reply(error)

    async def _await(
        self,
        reply: Callable[[dict[str, Any] | AcuseError], None],
        change: Callable[[], Awaitable[dict[str, Any]]],
    ) -> None:
        try:
            reply(await change())
        except AcuseError as error:
            reply(error)

    async def _status(self, reply: Callable[[dict[str, Any] | AcuseError], None]) -> None:
        try:
            reply(self._state.status(await self._read(self._state.queues)))
        except AcuseError as error:
            reply(error)

    async def _list(
        self,
        connection: Connection,
        request_id: object,
        start: Callable[[], Iterator[dict[str, Any]]],
    ) -> None:
        count = 0
        try:
            items = start()
            while True:
                chunk = await self._read(lambda: list(islice(items, _CHUNK)))
                for item in chunk:
                    connection.item(request_id, item)
                count += len(chunk)
                if len(chunk) < _CHUNK:
                    break
                await connection.drained()
        except AcuseError as error:
            connection.finish(request_id, error)
        else:
            connection.finish(request_id, {"count": count})

    async def _wait(
        self, reply: Callable[[dict[str, Any] | AcuseError], None], args: Mapping[str, Any]
    ) -> None:
        """Answer when the submission is sealed, or when the time is over."""
        try:
            submission_id, timeout_s = _id(args), _seconds(args.get("timeout_s", 60.0))
        except AcuseError as error:
            reply(error)
            return
        event = trio.Event()
        closed = event.set
        self._pipeline.on_close(submission_id, closed)
        show = partial(self._records.receipt, submission_id)
        try:
            shown = await self._read(show)
            if shown["seal"] is None:
                with trio.move_on_after(timeout_s) as patience:
                    await event.wait()
                shown = await self._read(show)
                if patience.cancelled_caught:
                    shown["timed_out"] = True
            reply(shown)
        except AcuseError as error:
            reply(error)
        finally:
            self._pipeline.off_close(submission_id, closed)

    async def _checkpoint(self, reply: Callable[[dict[str, Any] | AcuseError], None]) -> None:
        await self._signed()
        await self._answer(reply, self._proofs.checkpoint)

    async def _rotate_key(
        self, reply: Callable[[dict[str, Any] | AcuseError], None], by: str
    ) -> None:
        """Answer when the checkpoint that both keys signed is durable."""
        begun = trio.Event()
        answers: list[dict[str, Any] | AcuseError] = []

        def told(outcome: dict[str, Any] | AcuseError) -> None:
            answers.append(outcome)
            begun.set()

        rotation = self._changes.rotation
        self._pipeline.command(Command(partial(rotation.begin, by), told))
        await begun.wait()
        keys = answers[0]
        if isinstance(keys, AcuseError):
            reply(keys)
            return
        await self._signed()
        try:
            signed = await self._read(self._proofs.checkpoint)
            reply({**keys, **signed, "retired": rotation.finish()})
        except AcuseError as error:
            reply(error)

    async def _bundle(
        self, reply: Callable[[dict[str, Any] | AcuseError], None], args: Mapping[str, Any]
    ) -> None:
        try:
            submission_id = _id(args)
            redact, since = frozenset(_texts(args, "redact")), _texts(args, "since")
            standing = partial(self._proofs.standing, submission_id, since)
            if await self._read(standing) == UNSIGNED:
                await self._signed()
            if await self._read(standing) == SIGNED:
                await self._anchoring.settled()
        except AcuseError as error:
            reply(error)
            return
        await self._answer(reply, partial(self._proofs.bundle, submission_id, redact, since))

    async def _signed(self) -> None:
        """Wait until the log as it is now is signed."""
        signed = trio.Event()
        self._pipeline.sign(signed.set)
        await signed.wait()

    def _head(self) -> dict[str, Any]:
        return {**self._records.head(), **self._proofs.keys()}

    def _learn(self, args: Mapping[str, Any]) -> dict[str, Any]:
        name = args.get("operator")
        if not isinstance(name, str):
            raise DataError("operator is missing", hint="name one", field="operator")
        return self._learn_of(name)


def _receipts(records: Records, args: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    given = dict(args)
    if given.pop("orphans", False):
        return records.orphans(given)
    return records.receipts(given)


def _id(args: Mapping[str, Any]) -> str:
    value = args.get("submission_id")
    if not isinstance(value, str) or not value:
        raise DataError(
            "submission_id is missing", hint="give the id `submit` answered", field="submission_id"
        )
    return value


def _said(args: Mapping[str, Any]) -> str:
    value = args.get("as")
    if not isinstance(value, str) or value not in RESOLUTIONS:
        raise DataError(
            f"as: {value!r} is no decision", hint=f"one of {', '.join(RESOLUTIONS)}", field="as"
        )
    return value


def _texts(args: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = args.get(name)
    if value is None:
        return ()
    if (
        isinstance(value, list)
        and len(value) <= MAX_EXTRAS
        and all(isinstance(each, str) for each in value)
    ):
        return tuple(value)
    raise DataError(
        f"{name} must be a list of at most {MAX_EXTRAS} texts", hint='as ["text"]', field=name
    )


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and 0 <= value <= _WAIT_MOST_S:
        return float(value)
    raise DataError(
        "timeout_s must be a number of seconds up to a day", hint="as 60", field="timeout_s"
    )
