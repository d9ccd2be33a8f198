"""Other systems are told what happened: signed, in order, at least once, from where they got to (SP-25)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from allocator.errors import InputError
from allocator.flows import Person, deliver, mailbox, webhook
from allocator.flows.partner import decide_request, raise_request
from allocator.ledger import Ledger
from flows.network import CRON, EVE, OLGA, SAM

SECRET = b"a secret of both"


class Receiver(HTTPServer):
    """A real server, which refuses the next so many requests."""

    refuses = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/events"

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event["number"], event["step"]) for _, body in self.got if (event := json.loads(body))]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        refused = self.server.refuses > 0
        self.server.refuses -= refused
        if not refused:
            self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(503 if refused else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr("allocator.flows.delivery.PAUSE_S", 0.0)
    server = Receiver()
    with running(server):
        yield server


def request(ledger: Ledger, by: Person = SAM) -> str:
    return str(raise_request(ledger, [{"sku": "seal", "qty": 1}], by)["number"])


def test_every_step_is_told_once_and_in_order(partners: Ledger, receiver: Receiver) -> None:
    send = webhook(receiver.url, SECRET)
    number = request(partners)
    assert deliver(partners, "erp", send, CRON) == 1
    decide_request(partners, number, [{"line": 1, "qty": 1}], OLGA)
    request(partners)
    assert deliver(partners, "erp", send, CRON) == 2
    assert deliver(partners, "erp", send, CRON) == 0
    assert receiver.told == [("PR-000001", "raise"), ("PR-000001", "decide"), ("PR-000002", "raise")]


def test_who_receives_it_can_tell_that_it_is_ours(partners: Ledger, receiver: Receiver) -> None:
    request(partners)
    deliver(partners, "erp", webhook(receiver.url, SECRET), CRON)
    headers, body = receiver.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    event = json.loads(body)
    assert (event["id"], event["state"], event["actor"]) == (headers["webhook-id"], "requested", "sam")
    assert event["patch"]["set"]["party"] == "ASP-1"


def test_what_is_not_taken_is_sent_again_and_nothing_overtakes_it(partners: Ledger, receiver: Receiver) -> None:
    send = webhook(receiver.url, SECRET)
    for _ in range(2):
        request(partners)
    receiver.refuses = 2
    assert deliver(partners, "erp", send, CRON, tries=3) == 2
    request(partners)
    receiver.refuses = 1
    with pytest.raises(InputError, match="delivery_failed"):
        deliver(partners, "erp", send, CRON, tries=1)
    request(partners)
    assert deliver(partners, "erp", send, CRON) == 2
    assert [number for number, _ in receiver.told] == [f"PR-{n:06}" for n in (1, 2, 3, 4)]


def test_what_was_taken_before_a_failure_is_not_sent_again(partners: Ledger, receiver: Receiver) -> None:
    for _ in range(3):
        request(partners)
    seen: list[str] = []

    def send(event: Any) -> None:
        if len(seen) == 2:
            raise OSError("gone")
        seen.append(event["number"])

    with pytest.raises(InputError, match="delivery_failed"):
        deliver(partners, "erp", send, CRON, tries=2)
    assert deliver(partners, "erp", webhook(receiver.url, SECRET), CRON) == 1
    assert (seen, receiver.told) == (["PR-000001", "PR-000002"], [("PR-000003", "raise")])


def test_each_receiver_has_its_own_feed_and_gets_its_own_only(partners: Ledger, receiver: Receiver) -> None:
    request(partners)
    request(partners, EVE)
    seen: list[str] = []
    assert deliver(partners, "asp-2", lambda event: seen.append(event["party"]), CRON, receiver=EVE) == 1
    assert seen == ["ASP-2"]
    decided = deliver(partners, "desk", webhook(receiver.url, SECRET), CRON, wanted=lambda e: e["step"] == "decide")
    assert (decided, receiver.got) == (0, [])


def test_only_a_system_delivers_and_only_to_the_web(partners: Ledger) -> None:
    request(partners)
    with pytest.raises(InputError, match="role_missing"):
        deliver(partners, "erp", pytest.fail, SAM)
    for url in ("file:///etc/passwd", "ftp://host/x", "events", "http://"):
        with pytest.raises(InputError, match="argument_value"):
            webhook(url, SECRET)


class Post(socketserver.StreamRequestHandler):
    """As much of SMTP as one message needs."""

    messages: list[str] = []  # noqa: RUF012 - of the whole test

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline().decode().strip():
            if line.upper() == "DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (got := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    lines.append(got)
                self.messages.append("\n".join(lines))
            self.wfile.write(b"221 bye\r\n" if line.upper() == "QUIT" else b"250 ok\r\n")


def test_by_e_mail_it_says_in_words_what_happened(partners: Ledger) -> None:
    request(partners)
    server = socketserver.TCPServer(("127.0.0.1", 0), Post)
    with running(server):
        send = mailbox("127.0.0.1", server.server_address[1], sender="stock@example.com", to="olga@example.com")
        assert deliver(partners, "olga", send, CRON) == 1
    (message,) = Post.messages
    assert "Subject: PR-000001: raise -> requested" in message
    assert "raise by sam (storekeeper)" in message


def test_what_a_receiver_wants_reaches_it_behind_any_number_of_events_that_it_does_not(
    partners: Ledger, receiver: Receiver
) -> None:
    for _ in range(7):
        request(partners)
    decide_request(partners, "PR-000001", [{"line": 1, "qty": 1}], OLGA)
    said = {"wanted": lambda event: event["step"] == "decide", "limit": 2}
    assert deliver(partners, "erp", webhook(receiver.url, SECRET), CRON, **said) == 1
    assert receiver.told == [("PR-000001", "decide")]
    for _ in range(5):
        request(partners)
    for _ in range(2):
        assert deliver(partners, "erp", webhook(receiver.url, SECRET), CRON, **said) == 0
    assert len(receiver.got) == 1
    with pytest.raises(InputError, match="argument_value"):
        deliver(partners, "erp", webhook(receiver.url, SECRET), CRON, tries=0)
