"""A publisher of files on this machine: an HTTP server that fails in all the ways they do."""

import hashlib
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from data.adapters.card import Source
from data.fetch import Patience

PIECE = 4096
CONTENT = bytes(range(256)) * 400  # 100 KB
QUICK = Patience(tries=3, first=0.001, longest=0.002, told=5.0)


@dataclass(frozen=True)
class Fault:
    """How one request is answered.

    Args:
        status: instead of the file, where it is not 200.
        headers: sent beside the usual ones.
        after: bytes of the body before the connection is cut; None: all of it.
        slow: seconds between two pieces.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    after: int | None = None
    slow: float = 0.0


@dataclass
class Asked:
    """A request that came: its path and headers, and the bytes of the body that are sent so far."""

    path: str
    range: str
    if_range: str
    sent: int = 0


class Publisher:
    """What is published, and how requests are answered.

    Args:
        url: its address, without a slash at the end.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.asked: list[Asked] = []
        self.ranges = True
        self.marks: tuple[str, ...] = ("ETag", "Last-Modified")
        self.honest = True  # compares If-Range with the marks of now

    def put(self, name: str, content: bytes, *faults: Fault) -> str:
        """The address under which CONTENT is published as NAME; the first requests meet FAULTS."""
        self.files[f"/{name}"] = content
        self.faults[f"/{name}"].extend(faults)
        return f"{self.url}/{name}"

    def marks_of(self, content: bytes) -> dict[str, str]:
        """The headers that tell CONTENT from another."""
        digest = hashlib.md5(content).hexdigest()
        second = int(digest[:2], 16) % 60
        known = {
            "ETag": f'"{digest}"',
            "Last-Modified": f"Mon, 01 Jan 2024 00:00:{second:02d} GMT",
        }
        return {name: known[name] for name in self.marks}


@contextmanager
def publisher() -> Iterator[Publisher]:
    """A publisher that has nothing yet."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, here)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    here = Publisher(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def source(url: str, content: bytes = CONTENT, **more: Any) -> Source:
    """The file at URL, as its card knows it by length and digest."""
    known = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return Source.model_validate({"url": url, **known, **more})


def bare(url: str, **more: Any) -> Source:
    """The file at URL, of which nobody knows length or digest."""
    return Source.model_validate({"url": url, **more})


def left(folder: Path) -> list[str]:
    """The names in FOLDER."""
    return sorted(path.name for path in folder.iterdir())


def _answer(request: BaseHTTPRequestHandler, here: Publisher) -> None:
    faults = here.faults[request.path]
    fault = faults.popleft() if faults else Fault()
    headers = request.headers
    asked = Asked(request.path, headers.get("Range", ""), headers.get("If-Range", ""))
    here.asked.append(asked)  # before the answer: who has it may look at once
    content = here.files.get(request.path)
    if fault.status != 200 or content is None:
        request.send_response(fault.status if fault.status != 200 else 404)
        for name, value in ({"Content-Length": "0"} | fault.headers).items():
            request.send_header(name, value)
        request.end_headers()
        return
    marks = here.marks_of(content)
    start = 0
    if here.ranges and asked.range and (not here.honest or asked.if_range in ("", *marks.values())):
        start = int(asked.range.removeprefix("bytes=").removesuffix("-"))
    if start >= len(content) > 0:
        request.send_response(416)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    body = content[start:]
    request.send_response(206 if start else 200)
    told = {"Content-Length": str(len(body)), "Content-Type": "application/octet-stream"} | marks
    if start:
        told["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    for name, value in (told | fault.headers).items():
        request.send_header(name, value)
    request.end_headers()
    sent = body if fault.after is None else body[: fault.after]
    with suppress(OSError):  # who asked is gone
        for at in range(0, len(sent), PIECE):
            piece = sent[at : at + PIECE]
            asked.sent += len(piece)
            request.wfile.write(piece)
            time.sleep(fault.slow)
    request.close_connection = request.close_connection or len(sent) < len(body)
