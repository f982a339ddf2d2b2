"""The daemon's life: start, serve, drain, stop; and the exit code it ends with.

    outer ─ pipeline (the writer: starts first, dies last), admin socket, signals, watchdog
      └ links ─ one task per connection to an operator

Drain: refuse new submissions → stop dispatching → let windows empty, receipts still answered →
unbind → finish what was posted → sign the log → exit. A second request stops at once: what is on
the wire then becomes unknown, as it would after a crash.
"""

from __future__ import annotations

import gc
import signal
import sys
import traceback
from typing import TYPE_CHECKING

import structlog
import trio

from gateway import __version__
from gateway.clock import SystemClock
from gateway.daemon import logs
from gateway.daemon.admin import AdminServer
from gateway.daemon.gateway import Gateway, open_gateway
from gateway.daemon.listening import listen
from gateway.daemon.lock import data_directory
from gateway.daemon.notify import Notifier
from gateway.errors import AcuseError

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from gateway.settings import Settings

log = structlog.get_logger()

#: How long a drain waits for answers under way, and then for unbind_resp.
DRAIN_S = 30.0
_UNBIND_S = 5.0
_POLL_S = 0.02


def serve(settings: Settings, config_path: Path, *, log_level: str = "info") -> int:
    """Run the daemon until it is told to stop; returns the exit code.

    Expected failures end with one line and their code (CONTRACT); a bug ends with its traceback
    and 70, for the service manager to start it again.
    """
    logs.configure(log_level)
    try:
        with data_directory(settings.gateway.data_dir):
            trio.run(_main, settings, config_path)
    except BaseExceptionGroup as group:
        return _failed(group)
    except AcuseError as error:
        return _told(error)
    return 0


async def _main(settings: Settings, config_path: Path) -> None:
    notifier = Notifier()
    listener, ours = listen(settings.gateway.admin_socket, settings.admin.group)
    try:
        gateway = open_gateway(settings, SystemClock(), now_s=trio.current_time())
        _calm_the_collector()
        log.info(
            "daemon.started",
            software=__version__,
            config=str(config_path),
            entries=gateway.store.size,
            unknown_after_crash=gateway.unknown_after_crash,
        )
        await run(gateway, listener, notifier)
    finally:
        listener.close()
        if ours:
            settings.gateway.admin_socket.unlink(missing_ok=True)


def _calm_the_collector() -> None:
    """Look for cycles seldom: there are few, and the queue's many objects are not among them.

    With the default thresholds a fifth of the time under load goes into looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


async def run(gateway: Gateway, listener: socket.socket | None, notifier: Notifier) -> None:
    """Serve until `gateway.state` says stop; then drain and close the store."""
    state = gateway.state
    async with trio.open_nursery() as outer:
        stopped = trio.Event()

        async def write() -> None:
            await gateway.pipeline.run()
            stopped.set()

        outer.start_soon(write)
        if listener is not None:
            outer.start_soon(_signals, gateway)
            admin = AdminServer(gateway.questions, gateway.settings.admin)
            outer.start_soon(admin.serve, listener)
        outer.start_soon(gateway.retention.run)
        outer.start_soon(notifier.feed_watchdog, gateway.pipeline.healthy)
        outer.start_soon(gateway.anchoring.run)
        async with trio.open_nursery() as links:
            for operator in gateway.operators.values():
                for link in operator.links:
                    links.start_soon(link.run)
            state.ready = True
            notifier.send("READY=1")
            await state.stopping.wait()
            notifier.send("STOPPING=1")
            await _drain(gateway, links.cancel_scope)
        # Nobody is asked to vouch for the last checkpoint: who stops does not wait for the answer.
        gateway.anchoring.stop()
        gateway.pipeline.stop()
        await stopped.wait()
        # The last answers of the admin socket leave before it goes.
        await trio.sleep(_POLL_S)
        outer.cancel_scope.cancel()
    gateway.reader.close()
    gateway.store.close()
    state.ended.set()
    log.info("drain.finished", entries=gateway.store.size)


async def _drain(gateway: Gateway, links: trio.CancelScope) -> None:
    """Let windows empty, then end the links in good order."""
    gateway.dispatcher.stopped = True
    operators = gateway.operators.values()
    in_flight = sum(operator.in_flight for operator in operators)
    log.info("drain.started", in_flight=in_flight)
    give_up_s = trio.current_time() + DRAIN_S
    urgent = gateway.state.stopping_now
    while not urgent.is_set() and trio.current_time() < give_up_s:
        if not any(operator.in_flight for operator in operators):
            break
        await trio.sleep(_POLL_S)
    if urgent.is_set():
        links.cancel()
        return
    links.deadline = trio.current_time() + _UNBIND_S
    for operator in operators:
        for link in operator.links:
            link.drain()


async def _signals(gateway: Gateway) -> None:
    """SIGTERM and SIGINT drain; the second one stops now."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            gateway.state.stop()


def _told(error: AcuseError) -> int:
    """One line for a person, the fields for the journal, the code for the service manager."""
    problems = getattr(error, "problems", ())
    log.error("daemon.failed", reason=error.message, hint=error.hint, code=error.code)
    for problem in problems:
        log.error("config.wrong", reason=problem.message, hint=problem.hint, **problem.fields)
    return error.exit_code


def _failed(group: BaseExceptionGroup[BaseException]) -> int:
    """The exit code of what went wrong in the nurseries: expected, or a bug."""
    expected, rest = group.split(AcuseError)
    if rest is not None:
        traceback.print_exception(rest, file=sys.stderr)
        return 70
    error: BaseException | None = expected
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, AcuseError)
    return _told(error)
