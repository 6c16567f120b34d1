"""The probe that waits for a node to answer."""

import http.server
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tools import answers


@contextmanager
def sip_node(answer: bytes) -> Iterator[int]:
    """A node that gives every datagram the same answer; ends by an empty one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        port: int = own.getsockname()[1]

        def serve() -> None:
            while True:
                request, peer = own.recvfrom(65_535)
                if not request:
                    return
                assert request.startswith(f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\n".encode())
                assert request.endswith(b"\r\n\r\n")
                own.sendto(answer, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port
        finally:
            own.sendto(b"", ("127.0.0.1", port))
            thread.join()


@contextmanager
def web_node(page: bytes) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            """The test's output is no access log."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def run(monkeypatch: pytest.MonkeyPatch, sip_port: int, web_port: int) -> int:
    ports = ["--sip-port", str(sip_port), "--web-port", str(web_port)]
    monkeypatch.setattr(sys, "argv", ["answers", *ports, "--within", "0.5"])
    monkeypatch.setattr(answers, "TRY_S", 0.2)
    return answers.main()


def test_a_node_that_answers_on_both_is_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with sip_node(b"SIP/2.0 200 OK\r\n\r\n") as sip_port, web_node(b"<!doctype html><HTML>") as web_port:
        assert run(monkeypatch, sip_port, web_port) == 0
    assert capsys.readouterr().out.startswith("SIP and / answer after ")


def test_the_silent_side_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with sip_node(b"SIP/2.0 503 Service Unavailable\r\n\r\n") as sip_port, web_node(b"<html>") as web_port:
        assert run(monkeypatch, sip_port, web_port) == 1
    assert capsys.readouterr().err.endswith(": SIP\n")


def test_a_page_that_is_no_page_does_not_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with sip_node(b"SIP/2.0 200 OK\r\n\r\n") as sip_port, web_node(b"hello") as web_port:
        assert run(monkeypatch, sip_port, web_port) == 1
    assert capsys.readouterr().err.endswith(": /\n")
