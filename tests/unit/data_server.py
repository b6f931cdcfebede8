"""A web server on this computer that serves files from memory and can be told to misbehave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class DataServer:
    """What the server serves, how it misbehaves, and what it was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    address: str = ""
    knows_ranges: bool = True
    cut_after: list[int] = field(default_factory=list)  # bytes sent by each of the next answers, then silence
    statuses: list[int] = field(default_factory=list)  # of the next answers, instead of the file
    redirect_to: str | None = None
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path and Range

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one GET request."""
        wanted = handler.headers.get("Range")
        self.requests.append((handler.path, wanted))
        content = self.files.get(handler.path.lstrip("/"))
        if self.redirect_to:
            handler.send_response(302)
            handler.send_header("Location", self.redirect_to)
            handler.end_headers()
        elif self.statuses:
            handler.send_error(self.statuses.pop(0))
        elif content is None:
            handler.send_error(404)
        else:
            self._send(handler, content, wanted)

    def _send(self, handler: BaseHTTPRequestHandler, content: bytes, wanted: str | None) -> None:
        body = content
        if wanted and self.knows_ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                handler.send_error(416)
                return
            body = content[start:]
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: self.cut_after.pop(0)] if self.cut_after else body)


@contextmanager
def serving(**files: bytes) -> Iterator[DataServer]:
    """Serve `files` until the end of the block."""
    served = DataServer(dict(files))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@cache
def _taken() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken


def closed_address() -> str:
    """An address on this computer where nothing listens: its port is taken until this process ends."""
    return f"http://127.0.0.1:{_taken().getsockname()[1]}/"
