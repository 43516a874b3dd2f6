"""Who may do what over TCP: the token, and the login of a browser.

A write must show the token (``Authorization: Bearer``), or come from a browser that has logged in:
by a link that works once, which sets a cookie that no other site's page can send along. All
secrets are compared in constant time, and there are only so many of each.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable

from actors.addresses import Address, is_loopback

MAX_LINKS = 16
MAX_SESSIONS = 64
"""The oldest goes when there is one more."""
EVERYWHERE = ("0.0.0.0", "::")


class Access:
    """To one engine over one address. Used in the event loop's thread alone, but for ``link``."""

    def __init__(self, token: str, address: Address, *, tls: bool = False) -> None:
        self.address = address
        self.scheme = "https" if tls else "http"
        self.cookie = f"engine_session_{address.port}"
        """Cookies are one for all ports of a host, so that its name must tell them apart."""
        self._token = token
        self._links: list[str] = []
        self._sessions: list[str] = []

    @property
    def reads_are_open(self) -> bool:
        """Whether only this machine's users can ask at all."""
        return self.address.loopback

    def link(self) -> str:
        """An address that logs a browser in, once."""
        secret = secrets.token_urlsafe(24)
        self._links = [*self._links, secret][-MAX_LINKS:]
        host = Address("localhost", self.address.port) if self.address.host in EVERYWHERE else self.address
        return f"{self.scheme}://{host}/login?token={secret}"

    def log_in(self, secret: str) -> str | None:
        """The cookie's value, for the secret of a link that has not been used; else None."""
        if not _among(secret, self._links):
            return None
        self._links = [link for link in self._links if link != secret]
        session = secrets.token_urlsafe(32)
        self._sessions = [*self._sessions, session][-MAX_SESSIONS:]
        return session

    def knows_token(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and _among(given.strip(), (self._token,))

    def knows_session(self, cookies: str) -> bool:
        for part in cookies.split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.cookie and _among(value, self._sessions):
                return True
        return False

    def is_ours(self, host: str) -> bool:
        """Whether a ``Host`` names us. A name of somebody else's that leads here is how a page gets in."""
        name = _without_port(host)
        if name is None:
            return False
        if is_loopback(name) or name == self.address.host.lower():
            return True
        if self.address.host not in EVERYWHERE:
            return False
        # An address is no name that could be made to lead here.
        return name == socket.gethostname().lower() or _is_address(name)

    def is_own_origin(self, origin: str, host: str) -> bool:
        return origin.lower() == f"{self.scheme}://{host}".lower()


def _among(given: str, known: Iterable[str]) -> bool:
    found = False
    for one in known:
        found |= hmac.compare_digest(given.encode(errors="replace"), one.encode())
    return found


def _without_port(host: str) -> str | None:
    """The name in a ``Host``, in small letters; None if it is none."""
    name, colon, port = host.strip().rpartition(":")
    if not colon or host.endswith("]"):
        name = host.strip()
    elif not (port.isascii() and port.isdigit()):
        return None
    if name.startswith("[") != name.endswith("]"):
        return None
    return name.strip("[]").lower().removesuffix(".") or None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
