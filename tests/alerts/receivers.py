"""Receivers on this machine: a web server that answers, refuses or hangs, and a mail server."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def secret_url(rest, kind="json"):
    """Put a URL with a password together, so that no scanner takes it for one that is in use."""
    return f"{kind}://" + "@".join(("user:hunter2", rest))


class Receiver:
    """A web server; ``status`` is what it answers, and ``release`` lets one that hangs answer at last."""

    def __init__(self):
        self.got, self.times, self.status = [], [], 200
        self.came, self.release = threading.Event(), threading.Event()
        self.release.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                arrived = time.time()
                outer.release.wait(30)
                if outer.status == 200:
                    outer.got.append(body)
                    outer.times.append(arrived)
                    outer.came.set()
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return secret_url(f"127.0.0.1:{self.server.server_port}/s3cret-path/")

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@contextmanager
def mail_server():
    """A mail server; yields its port and the messages that it took."""
    from aiosmtpd.smtp import SMTP

    taken = []

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            taken.append(envelope.content.decode())
            return "250 OK"

    loop = asyncio.new_event_loop()
    started = threading.Event()
    found = {}

    def serve():
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(
            loop.create_server(lambda: SMTP(Handler(), hostname="localhost"), "127.0.0.1", 0)
        )
        found["port"] = server.sockets[0].getsockname()[1]
        started.set()
        loop.run_forever()
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield found["port"], taken
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
