"""A journal that may not be there yet, may go away, and may be replaced by a copy."""

from __future__ import annotations

from live.journal.place import parse
from live.journal.reader import JournalReader


class JournalPlace:
    """Opens a journal for reading, and again after it failed or was replaced.

    Parameters
    ----------
    url, mode : str
        As `live.journal.reader.JournalReader.open`.
    """

    def __init__(self, url: str, mode: str) -> None:
        self.mode = mode
        self._url, self._path = url, parse(url, mode).path
        self._journal: JournalReader | None = None
        self._inode = 0

    def opened(self) -> JournalReader:
        """Return the journal, opened.

        Raises
        ------
        MissingData, WrongJournal, JournalVersion, JournalDamaged, JournalUnavailable
        """
        inode = self._file()
        if self._journal is not None and inode != self._inode:
            self.close()
        if self._journal is None:
            self._journal, self._inode = JournalReader.open(self._url, self.mode), inode
        return self._journal

    def _file(self) -> int:
        """Return the number of the file on its disk: a copy that was put in its place has another one."""
        try:
            return 0 if self._path is None else self._path.stat().st_ino
        except OSError:
            return 0

    def close(self) -> None:
        """Disconnect; `opened` connects again."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()
