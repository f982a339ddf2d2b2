"""Starting and stopping: the clock, the lock, the socket, the service manager, the exit codes."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from gateway.daemon.gateway import open_gateway
from gateway.daemon.guard import GuardedClock
from gateway.daemon.listening import open_socket
from gateway.daemon.lock import data_directory
from gateway.daemon.notify import Notifier
from gateway.daemon.roles import Peer, Role, peer_of, role_of
from gateway.errors import ConfigError, StorageError, TryAgain
from gateway.settings import Admin, Roles, load_settings
from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path fits into a socket address."""
    with tempfile.TemporaryDirectory(prefix="acuse-") as name:
        yield Path(name)


class HandClock:
    """A clock a test sets by hand."""

    def __init__(self, wall_ms: int = NOON_MS, monotonic_s: float = 50.0) -> None:
        self.wall = wall_ms
        self.mono = monotonic_s

    def wall_ms(self) -> int:
        return self.wall

    def monotonic_s(self) -> float:
        return self.mono


def test_a_small_step_back_is_absorbed_and_a_large_one_refused() -> None:
    clock = HandClock()
    guarded = GuardedClock(clock, floor_ms=0)
    assert guarded.now_ms() == NOON_MS
    clock.wall -= 900
    assert guarded.now_ms() == NOON_MS
    clock.wall += 1500
    assert guarded.now_ms() == NOON_MS + 600
    clock.wall -= 2000
    with pytest.raises(TryAgain, match="the ledger already holds"):
        guarded.now_ms()


def test_a_clock_behind_the_ledger_refuses_to_start() -> None:
    with pytest.raises(TryAgain) as caught:
        GuardedClock(HandClock(), floor_ms=NOON_MS + 1_000_000).now_ms()
    assert "timedatectl" in caught.value.hint


@pytest.mark.parametrize("year", [1970, 2000, 2025, 2100, 9999, 300_000])
def test_a_clock_far_off_is_refused_before_the_first_file_is_made(
    tmp_path: Path, year: int
) -> None:
    world = World.make(tmp_path)
    settings = load_settings(world.config)
    settings.gateway.data_dir.mkdir()
    clock = HandClock((year - 1970) * 31_556_952_000 + 86_400_000)
    with pytest.raises(TryAgain, match=f"the clock shows the year {year}:") as caught:
        open_gateway(settings, clock, now_s=0.0)
    assert "timedatectl" in caught.value.hint
    assert list(settings.gateway.data_dir.iterdir()) == []


def test_a_clock_that_leaps_out_of_the_calendars_stops_the_daemon_with_a_reason() -> None:
    clock = HandClock()
    guarded = GuardedClock(clock, floor_ms=0)
    guarded.now_ms()
    clock.wall += 100 * 31_556_952_000
    with pytest.raises(TryAgain, match="the clock shows the year 2126"):
        guarded.now_ms()


def test_a_correction_of_a_second_or_more_is_told_once() -> None:
    clock = HandClock()
    guarded = GuardedClock(clock, floor_ms=0)
    clock.mono += 10
    clock.wall += 10_400
    assert guarded.take_step() is None
    clock.wall += 5000
    step = guarded.take_step()
    assert step is not None
    assert step.after_ms - step.before_ms == 5400
    assert guarded.take_step() is None


async def test_a_clock_step_while_running_is_in_the_ledger(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await trio.sleep(10)
        world.clock.offset_ms += 3_600_000
        answer = await daemon.submit("+34600111222")
        await daemon.final(answer["submission_id"])
        size = daemon.gateway.store.size
        events = [daemon.gateway.store.entry(seq) for seq in range(size)]
    assert sum(b'"ev":"x.ClockStep"' in event for event in events) == 1


async def test_a_clock_set_back_past_the_ledger_stops_the_daemon(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    with pytest.RaisesGroup(TryAgain, flatten_subgroups=True, allow_unwrapped=True):
        async with world.running(crash=True) as daemon:
            await daemon.submit("+34600111222")
            world.clock.offset_ms -= 3_600_000
            await trio.sleep(3600)


def test_two_daemons_cannot_use_one_data_directory(tmp_path: Path) -> None:
    with (
        data_directory(tmp_path / "data"),
        pytest.raises(TryAgain, match=f"process {os.getpid()}"),
        data_directory(tmp_path / "data"),
    ):
        pass
    with data_directory(tmp_path / "data"):
        pass  # free again


def test_a_lock_file_that_was_tidied_away_or_another_path_let_no_second_daemon_in(
    tmp_path: Path,
) -> None:
    data, link = tmp_path / "data", tmp_path / "link"
    with data_directory(data):
        link.symlink_to(data)
        (data / "lock").unlink()
        for path in (data, link, tmp_path / "data" / ".." / "data"):
            with pytest.raises(TryAgain, match="another acuse serve"), data_directory(path):
                pass
    with data_directory(link):
        pass


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught, data_directory(tmp_path / "file" / "data"):
        pass
    assert caught.value.fields["setting"] == "gateway.data_dir"


def test_a_socket_left_behind_is_replaced_and_a_living_one_is_not(short_path: Path) -> None:
    path = short_path / "admin.sock"
    open_socket(path, None).close()  # the file stays, nobody listens
    listener = open_socket(path, None)
    assert path.stat().st_mode & 0o777 == 0o660
    with pytest.raises(ConfigError, match="another daemon answers"):
        open_socket(path, None)
    listener.close()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_a_socket_path_that_is_something_else_is_left_alone(short_path: Path, kind: str) -> None:
    path = short_path / "admin.sock"
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(short_path / "elsewhere")
    with pytest.raises(ConfigError, match="is not a socket"):
        open_socket(path, None)
    assert path.exists() or path.is_symlink()


def test_the_peer_is_who_the_kernel_says() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_of(ours) == Peer(os.getpid(), os.getuid(), os.getgid())


def test_roles_come_from_groups_and_root_is_an_operator() -> None:
    import grp

    group = grp.getgrgid(os.getgid()).gr_name
    stranger = Peer(1, 54_321, os.getgid())
    assert role_of(Peer(1, 0, 0), Admin()) is Role.OPERATOR
    assert role_of(stranger, Admin()) is Role.NOBODY
    assert role_of(stranger, Admin(roles=Roles(read=(group,)))) is Role.READ
    assert role_of(stranger, Admin(roles=Roles(read=(group,), submit=(group,)))) is Role.SUBMIT


async def test_the_service_manager_hears_ready_stopping_and_the_watchdog(
    short_path: Path, autojump_clock: MockClock
) -> None:
    address = short_path / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(1)
        notifier = Notifier({"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "4000000"})
        notifier.send("READY=1")
        assert manager.recv(100) == b"READY=1"
        sick = False
        with trio.move_on_after(5):
            await notifier.feed_watchdog(lambda: not sick)
        assert [manager.recv(100) for _ in range(2)] == [b"WATCHDOG=1"] * 2
        sick = True
        with trio.move_on_after(60):
            await notifier.feed_watchdog(lambda: not sick)
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.recv(100)


def test_without_a_service_manager_nothing_is_sent() -> None:
    Notifier({}).send("READY=1")
    Notifier({"NOTIFY_SOCKET": "/nonexistent/notify"}).send("READY=1")


async def test_an_idle_daemon_commits_nothing_and_wakes_only_for_its_links(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await trio.sleep(120)
        commits = daemon.gateway.store.commits
        await trio.sleep(86_400)
        assert daemon.gateway.store.commits == commits


async def test_a_batch_of_submissions_costs_one_commit(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.reachable = False
    async with world.running() as daemon:
        await trio.sleep(1)
        before = daemon.gateway.store.commits
        request = {"text": "x", "category": "otp"}
        requests = [("submit", {"to": f"+34600557{n:03d}", **request}) for n in range(200)]
        await daemon.ask_all(requests)
        spent = daemon.gateway.store.commits - before
    assert spent <= 3
