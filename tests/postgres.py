"""A PostgreSQL server of its own for tests: a private cluster in a temporary folder, on a Unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 30.0
OWNER = "ares7"
ROOM = 200 * 2**20


def binaries() -> Path | None:
    """Return the folder that holds initdb, the newest of Debian's or the one on the path; None without a server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return None if on_path is None else Path(on_path).resolve().parent


@dataclass
class Server:
    """A cluster that a test may stop and start again.

    Attributes
    ----------
    home : Path
        Data and socket.
    """

    bin: Path
    home: Path
    user: str | None
    process: subprocess.Popen[bytes] | None = None

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.bin / program, *arguments],
            check=True,
            capture_output=True,
            user=self.user,
            cwd=self.home,
            timeout=60,
        )

    def make(self) -> None:
        """Make the cluster; its files are not synced, its transactions are."""
        options = (
            "--no-sync",
            "--auth=trust",
            f"--username={OWNER}",
            "--encoding=UTF8",
            "--locale=C",
            "--wal-segsize=1",
        )
        self._run("initdb", "-D", str(self.home / "data"), *options)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [
            self.bin / "postgres",
            "-D",
            self.home / "data",
            "-k",
            self.home,
            "-c",
            "listen_addresses=",
        ]
        small = ("max_connections=30", "shared_buffers=16MB", "min_wal_size=2MB", "max_wal_size=8MB")
        command += [part for setting in small for part in ("-c", setting)]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, user=self.user, cwd=self.home)
        deadline = time.monotonic() + START_SECONDS
        ready = [self.bin / "pg_isready", "-q", "-h", self.home, "-U", OWNER]
        while subprocess.run(ready, check=False, timeout=10).returncode:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError((self.home / "log").read_text())
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server as a power cut would: no connection is closed in order, nothing more is written."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(START_SECONDS)
            self.process = None

    def url(self, name: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://{OWNER}@/{name}?host={self.home}"

    def execute(self, *statements: str) -> None:
        """Run statements, each a transaction of its own."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def empty_database(self) -> str:
        """Drop every schema of ours; return the URL of the database, which is shared by all tests."""
        import psycopg

        names = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ares7%'"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for (name,) in connection.execute(names).fetchall():
                connection.execute(f"DROP SCHEMA {name} CASCADE")
        return self.url()


@contextmanager
def running() -> Iterator[Server]:
    """Run a server of its own. As root it runs as another user, for PostgreSQL refuses root."""
    folder = binaries()
    if folder is None:
        raise FileNotFoundError("no PostgreSQL server here: apt-get install postgresql")
    # Not under pytest's folder: a socket's path is short, and the server's user must reach it.
    home = Path(tempfile.mkdtemp(prefix="ares7-pg-", dir=_fast_folder()))
    server = Server(folder, home, _unprivileged())
    try:
        if server.user is not None:
            shutil.chown(home, server.user)
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _fast_folder() -> str | None:
    """Return a file system in memory with room for a cluster, if there is one: there a commit costs nothing."""
    memory = Path("/dev/shm")  # noqa: S108
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM:
        return str(memory)
    return None


def _unprivileged() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
