"""What every request passes before the application sees it, and what bounds it on its way.

Over the Unix socket the peer was checked when it connected (``connections``). Over TCP: the
``Host`` must be ours, so that a name which was made to lead here opens nothing; an ``Origin``
must be ours, so that no other page in the user's browser can ask or change anything; a write
needs the token or a browser's login. Over both: so many requests a second, so large a body, so
long for it to come.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.log import logger
from actors.server.access import Access
from actors.server.connections import MAX_HEADERS, Connection
from actors.server.problems import Refusal, problem_of

MAX_BODY = 8 * 1024 * 1024
BODY_S = 20.0
"""So long a body may take to come."""
RATE = 1_000.0
BURST = 2_000.0
"""Requests of one peer in a second, and at once."""
MAX_PEERS = 1_024
WITHOUT_BOUND = ("/v1/events/batch",)
"""A body that is read as it comes, and bounded line by line; its route says for how long."""
READS = ("GET", "HEAD", "OPTIONS")
LOGIN = "/login"
OWN_HEADER = "x-engine-request"
"""A write by a browser's login must have it: a form of another site's page cannot."""
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)


class Gatekeeper:
    """Stands before the application. ``access`` is None where there is no TCP."""

    def __init__(self, app: ASGIApp, access: Access | None, *, max_body: int = MAX_BODY) -> None:
        self._app = app
        self._access = access
        self._max_body = max_body
        self._rates = Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Connection = scope["state"]["connection"]
        passage = _Passage(scope, receive, send, self._max_body)
        try:
            self._check(scope, local=connection.local)
            passage.check_length()
        except Refusal as refusal:
            await problem_of(refusal)(scope, receive, passage.send)
            return
        try:
            await self._app(scope, passage.receive, passage.send)
        except Exception as error:  # noqa: BLE001 - the last before the protocol, which would say it to nobody
            if not passage.answered:
                await problem_of(error)(scope, receive, passage.send)
            elif not connection.transport.is_closing():
                logger().error("an answer broke off", path=scope["path"], exc_info=error)
                connection.abort()

    def _check(self, scope: Scope, *, local: bool) -> None:
        peer = "" if local else (scope.get("client") or ("?",))[0]
        if not self._rates.allow(peer, time.monotonic()):
            text = f"more than {RATE:,.0f} requests a second; send events as one batch, or ask less often"
            raise Refusal(429, "too_many", text, retry_after_s=1.0)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS:
            raise Refusal(431, "too_large", f"the headers may have {MAX_HEADERS:,} bytes in all")
        if not _is_utf8(scope["raw_path"]):
            raise Refusal(400, "request", "a name in the path is not UTF-8; write it in UTF-8")
        if local or self._access is None:
            return
        headers = _headers(scope)
        self._check_where(headers, scope["method"], self._access)
        self._check_who(headers, scope, self._access)

    def _check_where(self, headers: Mapping[str, str], method: str, access: Access) -> None:
        host = headers.get("host", "")
        if not access.is_ours(host):
            raise Refusal(403, "forbidden", f"this is not {host[:100] or 'without a Host'}; ask for {access.address}")
        origin = headers.get("origin")
        if origin is not None and not access.is_own_origin(origin, host):
            raise Refusal(403, "forbidden", f"pages of {origin[:100]} may not ask here; open {access.address} itself")
        # Where a browser says from where it asks: only a page of ours, or a person who follows a link.
        site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode")
        if site not in ("none", "same-origin") and not (mode == "navigate" and method == "GET"):
            raise Refusal(403, "forbidden", f"other sites' pages may not ask here; open {access.address} itself")

    def _check_who(self, headers: Mapping[str, str], scope: Scope, access: Access) -> None:
        writes = scope["method"] not in READS
        authorization = headers.get("authorization")
        if authorization is not None:
            if access.knows_token(authorization):
                return
            raise Refusal(401, "unauthorized", "that is not this engine's token; it is in the data directory's 'token'")
        if access.knows_session(headers.get("cookie", "")):
            if writes and OWN_HEADER not in headers:
                raise Refusal(403, "forbidden", f"a write by a browser's login needs the header {OWN_HEADER}")
            return
        if not writes and (access.reads_are_open or scope["path"] == LOGIN):
            return
        raise Refusal(
            401,
            "unauthorized",
            "this needs the token (Authorization: Bearer ..., the data directory's 'token'), the login link that "
            "'engine start' prints, or the Unix socket",
        )


class _Passage:
    """One request's receive and send, bounded."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body: int) -> None:
        self.answered = False
        self._scope = scope
        self._receive = receive
        self._send = send
        self._max = None if scope["path"] in WITHOUT_BOUND else max_body
        self._taken = 0
        self._complete = False
        self._deadline = asyncio.get_running_loop().time() + BODY_S

    def check_length(self) -> None:
        """Refuse what says itself that it is too large, before it comes."""
        length = _headers(self._scope).get("content-length", "")
        if self._max is not None and length.isascii() and length.isdigit() and int(length[:20]) > self._max:
            raise self._too_large()

    async def receive(self) -> Message:
        if self._complete or self._max is None:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(408, "slow", f"the body took longer than {BODY_S:g} s; send less at once") from None
        self._taken += len(message.get("body", b""))
        if self._taken > self._max:
            raise self._too_large()
        self._complete = not message.get("more_body", False)
        return message

    def _too_large(self) -> Refusal:
        return Refusal(413, "too_large", f"a body may have {self._max:,} bytes; send events as a batch, one a line")

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.answered = True
            given = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(header for header in HEADERS if header[0] not in given)]
            if b"cache-control" not in given:
                message["headers"].append((b"cache-control", b"no-store"))
        await self._send(message)


class Rates:
    """So many requests a second for each peer, some of them saved up; the oldest peers are forgotten."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, peer: str, now: float) -> bool:
        left, since = self._left.pop(peer, (BURST, now))
        left = min(BURST, left + (now - since) * RATE)
        allowed = left >= 1
        self._left[peer] = (left - allowed, now)
        while len(self._left) > MAX_PEERS:
            self._left.popitem(last=False)
        return allowed


def _is_utf8(path: bytes) -> bool:
    """Whether the names in it are. In their place the server would read others, of replacement characters."""
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return False
    return True


def _headers(scope: Scope) -> dict[str, str]:
    """By name in small letters. Of those that came twice there is none that is right."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        text = name.decode("latin-1")
        found[text] = f"{found[text]},{value.decode('latin-1')}" if text in found else value.decode("latin-1")
    return found
