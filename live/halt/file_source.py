"""The halt file: what commands, watchdog and signals write, and the runner reads before every order."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ares7.errors import Ares7Error, CheckFailed, DataError
from live.halt.level import HaltLevel, HaltRecord

FILE, LOCK, LOG = "halt.json", ".halt.lock", "halt-log.jsonl"
SCHEMA = 1
LOCK_PATIENCE_S = 2.0
"""A frozen process may hold the lock for ever; a halt goes ahead without it, lifting one does not."""
UNSETTLED_S = 2.0
"""A file that was written this recently is read again: two writes within one tick of the file system's clock leave
the same marks."""
ATTEMPTS = 5


class HaltFile:
    """``halt.json`` in the folder of the journal: replaced as a whole, never edited in place.

    Whatever is in its place and is no halt record counts as HALT, an empty file too: ``echo > halt.json``
    halts. So does its absence once it has been seen. ``halt-log.jsonl`` beside it keeps every change.

    Parameters
    ----------
    folder : Path
    now : callable
        UTC.
    """

    name = "file"

    def __init__(self, folder: Path, now: Callable[[], dt.datetime]) -> None:
        self.folder, self.path = folder, folder / FILE
        self._now = now
        self._record: HaltRecord | None = None
        self._marks: tuple[int, ...] = ()
        self._settled = self._seen = False

    def prepare(self) -> None:
        """Make the folder, and a file that says NONE where there is none: from now on its absence halts.

        Raises
        ------
        Ares7Error
            The folder cannot be written.
        """
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._locked(patience_s=LOCK_PATIENCE_S):
                if not self.path.exists():
                    self._write(HaltRecord(HaltLevel.NONE, "ares7", self._now(), "first start"))
        self._seen = True

    def read(self) -> HaltRecord | None:
        """Return what is set; None where nobody ever set anything. Costs one ``stat`` while nothing changes.

        Raises
        ------
        DataError
            The file is damaged, unreadable, or gone.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            if self._seen:
                raise DataError(f"{self.path} is gone; run 'python run.py resume' to write it anew") from None
            return None
        except OSError as error:
            raise DataError(f"{self.path}: {error.strerror or error}; correct its permissions") from None
        marks = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
        if self._record is None or marks != self._marks or not self._settled:
            self._record = None  # a failure below must not leave the old level behind
            self._record = self._parsed()
            self._marks = marks
            self._settled = abs(time.time() - found.st_mtime) > UNSETTLED_S
            self._seen = True
        return self._record

    def trip(self, level: HaltLevel, who: str, why: str) -> HaltRecord:
        """Raise the level; never lowers it. Returns what holds now.

        Works beside a frozen process: what another writes at the same time is seen afterwards and raised again.

        Raises
        ------
        Ares7Error
            The file cannot be written.
        """
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            for _ in range(ATTEMPTS):
                with self._locked(patience_s=LOCK_PATIENCE_S):
                    held = self._raised(HaltRecord(level, who, self._now(), why))
                if self._on_disk().level >= level:
                    return held
        raise Ares7Error(
            f"{self.path} is rewritten by others as fast as {level.name} is written; stop the process that resumes it"
        )

    def resume(self, who: str, why: str) -> HaltRecord:
        """Set NONE. Returns what held before.

        Raises
        ------
        CheckFailed
            Another process holds the lock.
        Ares7Error
            The file cannot be written.
        """
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._locked(patience_s=LOCK_PATIENCE_S) as locked:
                if not locked:
                    raise CheckFailed(
                        f"the halt was not lifted: another process holds {self.folder / LOCK}; if it hangs, end it"
                    )
                before = self._on_disk()
                self._write(HaltRecord(HaltLevel.NONE, who, self._now(), why))
        return before

    def _raised(self, asked: HaltRecord) -> HaltRecord:
        held = self._on_disk()
        if held.level >= asked.level and held.who:
            self._log(asked)
            return held
        if not held.who:  # damaged: the level stays HALT, the damage is told
            asked = HaltRecord(HaltLevel.HALT, asked.who, asked.when, f"{asked.why} ({held.why})")
        self._write(asked)
        return asked

    def _on_disk(self) -> HaltRecord:
        """Return what the file says; what is damaged is HALT by nobody."""
        if not self.path.exists():
            return HaltRecord(HaltLevel.NONE, "ares7", self._now(), "nothing was set")
        try:
            return self._parsed()
        except DataError as error:
            return HaltRecord(HaltLevel.HALT, "", self._now(), str(error))

    def _parsed(self) -> HaltRecord:
        try:
            content = json.loads(self.path.read_bytes())
            if not isinstance(content, dict) or content.get("schema") != SCHEMA:
                raise DataError(f"it is no halt record of schema {SCHEMA}")
            return HaltRecord.from_dict(content)
        except (OSError, ValueError, RecursionError, DataError) as error:
            text = " ".join(str(error).split())[:200]
            raise DataError(f"{self.path}: {text}; run 'python run.py resume' to write it anew") from None

    def _write(self, record: HaltRecord) -> None:
        temporary = self.folder / f".halt-{os.getpid()}-{secrets.token_hex(4)}.json"
        try:
            with temporary.open("wb") as file:
                file.write(json.dumps({"schema": SCHEMA, **record.to_dict()}).encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._log(record)

    def _log(self, record: HaltRecord) -> None:
        """Append to the history; a halt that took effect is not undone because the history cannot be written."""
        line = (json.dumps(record.to_dict(), sort_keys=True) + "\n").encode()
        with suppress(OSError):
            descriptor = os.open(self.folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)

    @contextmanager
    def _locked(self, patience_s: float) -> Iterator[bool]:
        descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            yield _acquired(descriptor, patience_s)
        finally:
            os.close(descriptor)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Ares7Error(
                f"halt file {self.path} cannot be written: {error.strerror or error}; correct the folder's permissions "
                "or free space; until then end the runner's process to stop its orders"
            ) from None


def _acquired(descriptor: Any, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        except OSError:  # a file system without locks
            return False
        else:
            return True
