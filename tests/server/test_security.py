"""What keeps others away: hosts, origins, tokens, logins, users; and what bounds what they send."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.addresses import Address, Http
from actors.errors import RequestError
from actors.server import connections, security
from actors.server.access import Access
from actors.server.control import tls_of
from actors.server.security import Rates
from actors.views import ChangeType
from tests.engine.conftest import one_task
from tests.server.conftest import TOKEN, Served

Serve = Callable[..., Served]
EVENT = {"type": "DATA_READY", "entity_id": "000001"}
BEARER = {"authorization": f"Bearer {TOKEN}"}


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["error"]["message"])


@pytest.fixture
def served(serve: Serve) -> Served:
    return serve(one_task("quick", isolation="thread"))


# --- where from --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8780", "1.2.3.4", "", "[::1", "a b"]
)
def test_a_host_that_is_not_ours_is_refused_even_for_reading(served: Served, host: str) -> None:
    assert refused(served.over_tcp().get("/v1/stats", headers={"host": host}), 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST:99", "[::1]:8780", "127.9.9.9", "localhost."])
def test_every_name_of_loopback_is_ours_whatever_the_port(served: Served, host: str) -> None:
    assert served.over_tcp().get("/v1/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1"])
def test_another_pages_origin_is_refused_also_with_the_token(served: Served, origin: str) -> None:
    client = served.over_tcp(headers={**BEARER, "origin": origin})

    assert refused(client.get("/v1/stats"), 403)
    assert refused(client.post("/v1/events", json=EVENT), 403)


def test_a_form_or_an_image_of_another_site_does_nothing(served: Served) -> None:
    client = served.over_tcp(headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"})

    assert refused(client.get("/v1/changes"), 403)
    assert refused(client.post("/v1/events", content=json.dumps(EVENT), headers={"content-type": "text/plain"}), 403)


def test_a_person_may_follow_a_link_from_another_page(served: Served) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}

    assert served.over_tcp(headers=headers).get("/v1/health").status_code == 200


# --- who ---------------------------------------------------------------------------------------


def test_reading_is_open_on_loopback_and_writing_needs_the_token(served: Served) -> None:
    client = served.over_tcp()

    assert client.get("/v1/stats").status_code == 200
    answer = client.post("/v1/events", json=EVENT)
    assert "Unix socket" in refused(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert client.post("/v1/events", json=EVENT, headers=BEARER).status_code == 202


@pytest.mark.parametrize(
    "given", ["Bearer wrong", "Bearer", "", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"]
)
def test_a_wrong_token_is_refused_also_where_none_is_needed(served: Served, given: str) -> None:
    headers = [(b"authorization", given.encode())]

    assert refused(served.over_tcp().post("/v1/events", json=EVENT, headers=headers), 401)
    assert refused(served.over_tcp().get("/v1/health", headers=headers), 401)


def test_a_login_link_works_once_and_its_cookie_writes_with_our_own_header(served: Served) -> None:
    link = served.control.login_link()
    browser, other = served.over_tcp(), served.over_tcp()

    assert link is not None
    answer = browser.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {
        part.strip() for part in answer.headers["set-cookie"].split(";")
    }
    assert refused(other.get(link), 401)
    assert refused(other.get("/login?token="), 401)

    page = browser.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert refused(browser.post("/v1/events", json=EVENT), 403)
    own = {"x-engine-request": "1"}
    assert browser.post("/v1/events", json=EVENT, headers=own).status_code == 202
    assert (
        browser.post("/v1/events", json=EVENT, headers={**own, "origin": f"http://127.0.0.1:{served.port}"}).status_code
        == 202
    )
    assert refused(browser.post("/v1/events", json=EVENT, headers={**own, "origin": "http://localhost:1"}), 403)
    assert refused(other.post("/v1/events", json=EVENT, headers=own), 401)


def test_another_login_link_is_made_by_who_may_write(served: Served) -> None:
    assert refused(served.over_tcp().post("/v1/login-link"), 401)
    link = served.client().post("/v1/login-link").json()["url"]

    assert served.over_tcp().get(link).status_code == 303


def test_where_others_can_reach_it_reading_needs_the_token_too() -> None:
    access = Access(TOKEN, Address("0.0.0.0", 8780))

    assert not access.reads_are_open
    assert access.is_ours("192.168.1.7:8780")
    assert access.is_ours(socket.gethostname())
    assert not access.is_ours("rebound.example")
    assert Access(TOKEN, Address("engine.lan", 8780)).is_ours("Engine.LAN:8780")
    assert not Access(TOKEN, Address("engine.lan", 8780)).is_ours("192.168.1.7")


def test_there_are_only_so_many_links_and_sessions() -> None:
    access = Access(TOKEN, Address("127.0.0.1", 1))
    first = access.link().partition("=")[2]
    for _ in range(16):
        access.link()

    assert access.log_in(first) is None


def test_an_address_for_others_is_served_only_with_token_and_tls_or_on_purpose_without(tmp_path: Path) -> None:
    everywhere = Address("0.0.0.0", 0)

    for http in (Http(everywhere), Http(everywhere, tmp_path), Http(Address("127.0.0.1", 0), key=tmp_path)):
        with pytest.raises(RequestError):
            http.check()
    Http(everywhere, tmp_path, plaintext=True).check()


def test_the_socket_serves_its_own_user_and_root_alone(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert served.client().get("/v1/health").status_code == 200

    monkeypatch.setattr(connections, "peer_user", lambda _: os.geteuid() + 1)

    assert "its own user" in refused(served.client().get("/v1/health"), 403)


def test_the_user_at_the_other_end_of_a_socket_is_known() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert connections.peer_user(one) == os.geteuid()


# --- how much ----------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(served: Served) -> None:
    client = served.client()
    large = 12 * 1024 * 1024

    assert refused(client.post("/v1/events", content=b"x" * large), 413)

    def chunks() -> Iterator[bytes]:
        for _ in range(large // 65_536):
            yield b"x" * 65_536

    assert refused(client.post("/v1/events", content=chunks(), headers={"content-type": "application/json"}), 413)
    assert client.get("/v1/health").status_code == 200


def test_a_line_of_ten_megabytes_is_one_fault_and_the_next_line_is_published(served: Served) -> None:
    lines = b'{"type": "DATA_READY", "data": "' + b"x" * 10_000_000 + b'"}\n' + json.dumps(EVENT).encode()

    summary = served.client().post("/v1/events/batch", content=lines).json()

    assert (summary["accepted"], summary["rejected"]) == (1, 1)
    assert "longer than" in summary["errors"][0]["error"]["message"]


def test_more_requests_than_a_peer_may_make_are_put_off() -> None:
    rates = Rates()

    allowed = sum(rates.allow("a", 0.0) for _ in range(3_000))

    assert allowed == 2_000
    assert rates.allow("b", 0.0)
    assert sum(rates.allow("a", 1.0) for _ in range(3_000)) == 1_000
    for n in range(2_000):
        rates.allow(str(n), 2.0)
    assert len(rates._left) <= security.MAX_PEERS


def test_a_peer_that_asks_too_often_is_told_when_to_ask_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "BURST", 3.0)
    monkeypatch.setattr(security, "RATE", 0.001)
    client = served.over_tcp()

    answers = [client.get("/v1/health") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["retry-after"] == "1"


# --- how long, on bare connections ---------------------------------------------------------------


def received(opened: socket.socket) -> bytes:
    """All that comes until the other end hangs up."""
    found = b""
    try:
        while part := opened.recv(65_536):
            found += part
    except ConnectionResetError:
        pass
    return found


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("sent", [b"", b"GET /v1/hea", b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-A: "])
def test_headers_that_do_not_come_are_given_up(
    served: Served, monkeypatch: pytest.MonkeyPatch, sent: bytes, tcp: bool
) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 0.2)

    with served.raw(tcp=tcp) as opened:
        opened.sendall(sent)
        assert status_of(received(opened)) == 408


def test_headers_a_byte_at_a_time_are_given_up_as_late(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 0.3)

    with served.raw() as opened:
        opened.settimeout(0.02)
        found = b""
        deadline = time.monotonic() + 20
        while not found and time.monotonic() < deadline:
            opened.sendall(b"G")
            try:
                found = opened.recv(1000)
            except TimeoutError:
                continue

    assert status_of(found) == 408


def test_a_second_request_that_comes_in_part_is_given_up_too(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 0.2)

    with served.raw() as opened:
        opened.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1")
        found = received(opened)

    assert found.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in found


def test_a_connection_kept_for_nothing_is_closed(served: Served) -> None:
    for door in served.control.doors:
        door.config.timeout_keep_alive = 0

    with served.raw() as opened:
        opened.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert received(opened).startswith(b"HTTP/1.1 200")


def test_a_body_that_does_not_come_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "BODY_S", 0.2)
    monkeypatch.setattr(connections, "HEADERS_S", 0.2)

    with served.raw() as opened:
        opened.sendall(
            b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        found = received(opened)

    assert status_of(found) == 408


def test_an_answer_that_is_not_taken_ends_the_connection(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LOOK_S", 0.1)
    for n in range(50):
        served.engine.put_entity(f"{n:06}", data="x" * 200_000, phase="none")
    opened = served.raw()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with opened:
        opened.sendall(b"GET /v1/entities HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: sum(door.open for door in served.control.doors) == 1)
        until(lambda: sum(door.open for door in served.control.doors) == 0)


def test_more_connections_than_are_allowed_are_refused_and_the_socket_stays_open(served: Served) -> None:
    tcp = served.control.doors[1]
    tcp.most = 3
    held = [served.raw(tcp=True) for _ in range(3)]
    until(lambda: tcp.open == 3)
    try:
        with served.raw(tcp=True) as one_more:
            assert status_of(received(one_more)) == 503
        assert served.client().get("/v1/health").status_code == 200
    finally:
        for one in held:
            one.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /v1/events/batch HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"\x00" * 1000,
        "GET /v1/entities/é HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
    ],
)
def test_what_is_no_http_is_refused_and_hung_up_on(
    served: Served, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 0.5)

    with served.raw() as opened:
        opened.sendall(sent)
        found = received(opened)

    assert found == b"" or 400 <= status_of(found) < 500
    assert served.client().get("/v1/health").status_code == 200


def test_a_request_for_another_protocol_is_answered_as_http(served: Served) -> None:
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-key": "x"}

    assert served.client().get("/v1/health", headers=upgrade).status_code == 200


def test_a_sender_that_dies_in_the_middle_of_a_batch_has_published_what_came_whole(served: Served) -> None:
    line = json.dumps({"type": "DATA_READY", "entity_id": "000001", "id": "whole"}).encode() + b"\n"
    with served.raw() as opened:
        opened.sendall(
            b"POST /v1/events/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + line + b'{"type"'
        )
        served.watched.until(ChangeType.INSTANCE_ENDED)

    until(lambda: sum(door.open for door in served.control.doors) == 0)


def test_the_server_stops_at_once_with_requests_and_streams_open(served: Served) -> None:
    streams = [served.raw(tcp=tcp) for tcp in (False, True, True)]
    for one in streams:
        one.sendall(b"GET /v1/changes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert one.recv(10)
    idle = served.raw()
    half = served.raw()
    half.sendall(b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    began = time.monotonic()

    closer = threading.Thread(target=served.control.close)
    closer.start()
    closer.join(20)

    assert time.monotonic() - began < 10
    for one in (*streams, idle, half):
        received(one)
        one.close()


def until(holds: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# --- where others can listen in ------------------------------------------------------------------


def elsewhere(tmp_path: Path, **more: Any) -> Http:
    token = tmp_path / "token-file"
    token.write_text(TOKEN)
    return Http(Address("0.0.0.0", 0), token, **more)


def test_where_others_can_reach_it_nothing_but_the_login_is_open(serve: Serve, tmp_path: Path) -> None:
    served = serve(one_task("quick", isolation="thread"), http=elsewhere(tmp_path, plaintext=True))
    client = served.over_tcp()

    for path in ("/v1/health", "/v1/stats", "/v1/changes", "/metrics", "/openapi.json"):
        assert refused(client.get(path), 401)
        assert refused(served.over_tcp(headers={"authorization": "Bearer no"}).get(path), 401)
    assert client.get("/v1/stats", headers=BEARER).status_code == 200
    assert refused(client.get("/login?token=guess"), 401)
    link = served.control.login_link()
    assert link is not None
    assert client.get(link.replace("localhost", "127.0.0.1")).status_code == 303
    assert client.get("/v1/stats").status_code == 200


def test_with_a_certificate_it_is_served_by_tls_alone(
    serve: Serve, tmp_path: Path, require: Callable[[object, str], None]
) -> None:
    require(shutil.which("openssl"), "openssl is not there to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
    served = serve(one_task("quick", isolation="thread"), http=elsewhere(tmp_path, certificate=certificate, key=key))
    trust = ssl.create_default_context(cafile=str(certificate))

    with httpx.Client(base_url=f"https://127.0.0.1:{served.port}", verify=trust, trust_env=False) as client:
        assert client.get("/v1/stats", headers=BEARER).json()["preemptions"] == 0
        assert refused(client.get("/v1/stats"), 401)
        link = served.control.login_link()
        assert link is not None
        answer = client.get(link.replace("localhost", "127.0.0.1"))
        assert "Secure" in answer.headers["set-cookie"]
    with pytest.raises(httpx.HTTPError):
        served.over_tcp().get("/v1/health", headers=BEARER)
    with pytest.raises(RequestError, match="cannot serve HTTPS"):
        tls_of(Http(Address("127.0.0.1", 0), certificate=key, key=certificate))


def test_a_stream_that_is_never_read_is_hung_up_on_and_its_place_is_free(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LOOK_S", 0.3)
    hub = served.control.changes
    with served.raw() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.sendall(b"GET /v1/changes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: hub.followers == 1)
        client = served.client()
        deadline = time.monotonic() + 40
        while hub.followers and time.monotonic() < deadline:
            lines = [json.dumps({"type": "DATA_READY", "entity_id": f"{n:06}"}) for n in range(100)]
            assert client.post("/v1/events/batch", content="\n".join(lines).encode()).json()["accepted"] == 100

        assert hub.followers == 0


def test_who_is_gone_without_a_word_is_found_out_by_the_system(served: Served) -> None:
    with served.raw(tcp=True):
        until(lambda: served.control.doors[1].open == 1)
        (connection,) = served.control.doors[1].state.connections
        assert isinstance(connection, connections.Connection)
        opened = connection.transport.get_extra_info("socket")

        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
