"""A server of model archives on the loopback, which knows ranges or not and can break off."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ModelServer(http.server.ThreadingHTTPServer):
    """Serves `archives` by path; keeps the `Range` header of every request."""

    def __init__(self, archives: dict[str, bytes], *, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.archives = archives
        self.ranges = ranges
        #: bytes sent before the connection is cut; None sends everything
        self.cut_after: int | None = None
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Address below which the archives lie."""
        return f"http://127.0.0.1:{self.server_port}/models"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ModelServer

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range", "")
        server.asked.append(wanted)
        content = server.archives.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        self.send_response(206 if start else 200)
        body = content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if server.cut_after is None else body[: server.cut_after])

    def log_message(self, format: str, *args: object) -> None:
        """The test's output is no access log."""


@contextmanager
def serving(server: ModelServer) -> Iterator[ModelServer]:
    """Serve in a thread until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
