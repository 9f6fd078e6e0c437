"""A vendor on 127.0.0.1: real sockets, answers by path, and everything that can go wrong with one."""

from __future__ import annotations

import gzip
import http.server
import threading
import time
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit


class Reply:
    """An answer; ``fault`` is what is done to it."""

    def __init__(
        self, body=b"", status=200, headers=None, *, kind="text/csv", cut=None, delay=0.0, zipped=False
    ):
        self.body = body.encode() if isinstance(body, str) else body
        self.status, self.headers, self.kind = status, dict(headers or {}), kind
        self.cut, self.delay, self.zipped = cut, delay, zipped


class Vendor:
    """Routes by path. A route gives a reply for the query; ``faults`` are answered first, in order."""

    def __init__(self):
        self.routes, self.faults, self.requests = {}, [], []
        self.url = ""
        self.gate = None

    def reply(self, path, query, headers):
        self.requests.append((path, query, headers))
        if self.gate is not None:
            self.gate(len(self.requests))
        if self.faults:
            fault = self.faults.pop(0)
            if fault is not None:
                return fault
        for prefix, route in self.routes.items():
            if path == prefix or (prefix.endswith("*") and path.startswith(prefix[:-1])):
                return route(path, query) if callable(route) else route
        return Reply("no such thing", 404)

    @property
    def paths(self):
        return [path for path, _, _ in self.requests]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vendor: Vendor

    def do_GET(self):
        parts = urlsplit(self.path)
        reply = self.vendor.reply(parts.path, dict(parse_qsl(parts.query)), dict(self.headers))
        if reply.delay:
            time.sleep(reply.delay)
        body = gzip.compress(reply.body) if reply.zipped else reply.body
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(body)))
        if reply.zipped:
            self.send_header("Content-Encoding", "gzip")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if reply.cut is None else body[: reply.cut])
        if reply.cut is not None:
            self.close_connection = True

    def log_message(self, *args):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        """A client that was killed or gave up is no error of the server."""


@contextmanager
def serving(vendor):
    handler = type("Handler", (_Handler,), {"vendor": vendor})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        vendor.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield vendor
        finally:
            server.shutdown()
            thread.join()
