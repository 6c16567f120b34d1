"""Wait until a node answers on SIP and HTTP, and say how long that took: `python3 -m tools.answers --within 60`."""

import argparse
import secrets
import socket
import sys
import time
import urllib.error
import urllib.request

TRY_S = 1.0
PAUSE_S = 0.2


def options_request(host: str, port: int, own_port: int) -> bytes:
    """A SIP OPTIONS (RFC 3261 section 11), the question "are you there"."""
    branch, tag, call_id = (secrets.token_hex(8) for _ in range(3))
    lines = (
        f"OPTIONS sip:{host}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{own_port};branch=z9hG4bK{branch}",
        "Max-Forwards: 70",
        f"From: <sip:probe@{host}:{own_port}>;tag={tag}",
        f"To: <sip:{host}:{port}>",
        f"Call-ID: {call_id}",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def sip_answers(host: str, port: int) -> bool:
    """Whether an OPTIONS gets 200."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.settimeout(TRY_S)
        try:
            own.connect((host, port))
            own.send(options_request(host, port, own.getsockname()[1]))
            return own.recv(65_535).startswith(b"SIP/2.0 200 ")
        except OSError:
            return False


def web_answers(host: str, port: int) -> bool:
    """Whether `/` is a page."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=TRY_S) as response:
            return response.status == 200 and b"<html" in response.read(4_096).lower()
    except (OSError, urllib.error.URLError):
        return False


def main() -> int:
    """Exit 0 with one line when both answer in time, else 1 with one that names who does not."""
    parser = argparse.ArgumentParser(prog="tools.answers", description="Wait until a node answers.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--sip-port", type=int, default=5_060)
    parser.add_argument("--web-port", type=int, default=8_080)
    parser.add_argument("--within", type=float, default=60.0, help="seconds")
    options = parser.parse_args()
    began = time.monotonic()
    waiting = {"SIP": (sip_answers, options.sip_port), "/": (web_answers, options.web_port)}
    while True:
        waiting = {name: (probe, port) for name, (probe, port) in waiting.items() if not probe(options.host, port)}
        elapsed = time.monotonic() - began
        if not waiting:
            print(f"SIP and / answer after {elapsed:.1f} s")
            return 0
        if elapsed > options.within:
            print(f"no answer within {options.within:.0f} s: {', '.join(waiting)}", file=sys.stderr)
            return 1
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    sys.exit(main())
