"""Where HTTP listens: an address as text, and the socket for it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from actors.errors import RequestError

DEFAULT_PORT = 8780


class Address(NamedTuple):
    host: str
    port: int

    @classmethod
    def read(cls, text: str) -> Self:
        """``HOST:PORT``, ``HOST``, ``PORT`` or ``[IPv6]:PORT``. Raises ``RequestError``."""
        host, colon, port = text.rpartition(":")
        if text.isascii() and text.isdigit():
            host, port = "127.0.0.1", text
        elif not colon or text.endswith("]"):
            host, port = text, str(DEFAULT_PORT)
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else -1
        if not bare or (":" in bare and bare == host) or not bare.isprintable() or not 0 <= number <= 65535:
            raise RequestError(f"'{text}' is no address for HTTP; write it as 127.0.0.1:{DEFAULT_PORT} or [::1]:8780")
        return cls(bare, number)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Http:
    """HTTP over TCP: where, and what protects it."""

    address: Address
    token_file: Path | None = None
    """Holds what a write must show, instead of the data directory's own."""
    certificate: Path | None = None
    key: Path | None = None
    plaintext: bool = False
    """Without TLS also where others can listen in: said on purpose."""

    def check(self) -> None:
        """Raises ``RequestError`` for what would leave the engine open to others."""
        if (self.certificate is None) != (self.key is None):
            raise RequestError("--tls-cert and --tls-key go together")
        if self.address.loopback:
            return
        if self.token_file is None:
            raise RequestError(
                f"{self.address.host} can be reached from elsewhere: name a file that holds a token with --token-file"
            )
        if self.certificate is None and not self.plaintext:
            raise RequestError(
                f"{self.address.host} can be reached from elsewhere: give --tls-cert and --tls-key, or say "
                "--plaintext if others may read what is sent, the token too"
            )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(wanted: Address) -> tuple[socket.socket, Address]:
    """A listening socket; on a free port if the wanted one is taken. Raises ``RequestError``."""
    try:
        family, _, _, _, place = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise RequestError(f"HTTP cannot listen on {wanted}: {(error.strerror or str(error)).lower()}") from None
    for port in (wanted.port, 0):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((place[0], port, *place[2:]))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE and port:
                continue
            raise RequestError(
                f"HTTP cannot listen on {wanted}: {(error.strerror or str(error)).lower()}; choose another with --http"
            ) from None
        return listener, Address(wanted.host, listener.getsockname()[1])
    raise AssertionError("port 0 is never taken")
