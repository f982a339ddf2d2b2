"""Asking others over HTTP: time-stamping authorities and witnesses. Bounded in time and in size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from gateway.errors import ConfigError, TryAgain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    import httpx

    Web: TypeAlias = Callable[[], httpx.AsyncClient]

#: What any setting allows; each question has its own limit below it.
_LONGEST_S: Final = 300.0
_LOOPBACK: Final = ("all://127.0.0.1", "all://localhost", "all://[::1]")


def open_web() -> httpx.AsyncClient:
    """A client that follows no redirect and goes through the proxy of the environment, if any.

    Raises:
        ConfigError: that proxy cannot be used.
    """
    import httpx  # costs a fifth of a second: who asks nobody does not wait for it

    try:
        return httpx.AsyncClient(timeout=_LONGEST_S, mounts=dict.fromkeys(_LOOPBACK))
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise ConfigError(
            f"the proxy of the environment cannot be used: {error}",
            hint="set HTTPS_PROXY and HTTP_PROXY to http://HOST:PORT, or unset them",
            setting="HTTPS_PROXY",
        ) from None


async def post(
    client: httpx.AsyncClient,
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    expect: str,
    limit_bytes: int,
    timeout_s: float,
) -> bytes:
    """The body of the answer to a POST, of the media type *expect*.

    Raises:
        TryAgain: no connection, no answer in time, another status than 200, another media type,
            or a body larger than *limit_bytes*; the message says which, for people.
    """
    import httpx

    try:
        with trio.fail_after(timeout_s):
            async with client.stream("POST", url, content=content, headers=headers) as answer:
                kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                if answer.status_code != httpx.codes.OK:
                    raise TryAgain(f"it answers with HTTP status {answer.status_code}")
                if kind != expect:
                    raise TryAgain(f"it answers with {kind[:60] or 'no media type'}, not {expect}")
                return await _body(answer, limit_bytes)
    except trio.TooSlowError:
        raise TryAgain(f"no answer within {timeout_s:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = str(error) or type(error).__name__
        raise TryAgain(f"it cannot be reached: {said[:200]}") from None


async def _body(answer: httpx.Response, limit_bytes: int) -> bytes:
    too_large = TryAgain(f"its answer is larger than {limit_bytes} bytes")
    declared = answer.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) > len(str(limit_bytes)):
        raise too_large
    received = bytearray()
    async for data in answer.aiter_raw():
        received += data
        if len(received) > limit_bytes:
            raise too_large
    return bytes(received)
