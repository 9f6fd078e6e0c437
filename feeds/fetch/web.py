"""HTTP for vendors, on the standard library: one small client instead of one more dependency.

It asks in turn, waits as it is told, decodes gzip, and takes nothing for an answer that is cut short or comes from
another place. Proxies and certificates are those of the environment, as Python finds them.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import gzip
import hashlib
import http.client
import ssl
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from ares7.errors import ConfigError, DataError
from ares7.fetch_config import LOOPBACK
from feeds.fetch.patience import Patience, Transient
from feeds.fetch.source import NoData, Origin

CHUNK = 1 << 16
MAX_BYTES = 1 << 30
"""An answer that is larger is no answer."""
AGENT = "ares7-data-fetch/1"


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer, decoded, and where it comes from."""

    body: bytes
    origin: Origin


class _SamePlace(urllib.request.HTTPRedirectHandler):
    """Follows a redirect on the same host only: a key must not follow it elsewhere."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if (new.scheme, new.netloc) != (old.scheme, old.netloc):
            raise DataError(
                f"{old.netloc}{old.path} redirects to {new.scheme}://{new.netloc}, another place, which is not "
                "followed; correct the address in the section fetch if that place is meant"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Web:
    """One source over HTTP.

    Parameters
    ----------
    source : str
        For messages.
    patience : Patience
    timeout_s, deadline_s : float
    headers : mapping
        Sent with each request; a key belongs here and not into an address.
    secret : str
        Never shown, whoever repeats it.
    remedy : str
        What to do when access is refused.
    """

    def __init__(
        self,
        source: str,
        patience: Patience,
        *,
        timeout_s: float,
        deadline_s: float,
        headers: Mapping[str, str] | None = None,
        secret: str = "",
        remedy: str = "",
    ) -> None:
        self._source, self._patience = source, patience
        self._timeout, self._deadline = timeout_s, deadline_s
        self._headers = {"User-Agent": AGENT, "Accept-Encoding": "gzip", **(headers or {})}
        self._secret, self._remedy = secret, remedy
        self._opener = urllib.request.build_opener(_SamePlace)
        # A proxy of the environment is for other machines.
        self._here = urllib.request.build_opener(_SamePlace, urllib.request.ProxyHandler({}))

    def get(self, url: str, params: Mapping[str, str] | None = None) -> Answer:
        """Ask for an address.

        Raises
        ------
        NoData
            404.
        ConfigError
            401, 403: the key; a certificate that is not trusted.
        DataError
            Another 4xx, a redirect elsewhere, HTML, nothing at all.
        ServiceUnavailable
            429, 5xx or no connection, after all retries.
        """
        full = f"{url}?{urlencode(params)}" if params else url
        return self._patience.ask(lambda: self._once(full))

    def masked(self, text: str) -> str:
        """Text without the key."""
        return text.replace(self._secret, "***") if self._secret else text

    def _once(self, url: str) -> Answer:
        shown = self.masked(url)
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310 - settings admit https and loopback
        opener = self._here if urlsplit(url).hostname in LOOPBACK else self._opener
        try:
            with opener.open(request, timeout=self._timeout) as response:
                sent = self._read(response, shown)
                coding = response.headers.get("Content-Encoding", "")
                kind = response.headers.get("Content-Type", "")
        except urllib.error.HTTPError as error:
            raise self._refused(error, shown) from None
        except urllib.error.URLError as error:
            raise self._unreachable(error.reason, shown) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error, shown) from None
        stamp = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        origin = Origin(shown, hashlib.sha256(sent).hexdigest(), len(sent), stamp)
        return Answer(self._decoded(sent, coding, kind, shown), origin)

    def _read(self, response: Any, shown: str) -> bytes:
        """Read the whole body, within the deadline, and as long as announced."""
        ends, parts, size = time.monotonic() + self._deadline, [], 0
        while chunk := response.read(CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if time.monotonic() > ends:
                raise Transient(f"{shown} took longer than {self._deadline:g} s (fetch.deadline_s)")
            if size > MAX_BYTES:
                raise DataError(f"{self._source}: {shown} sent more than {MAX_BYTES >> 20} MiB; ask for less")
        announced = response.headers.get("Content-Length")
        if announced is not None and announced.isdigit() and size != int(announced):
            raise Transient(f"{shown} ended after {size} of {announced} bytes")
        return b"".join(parts)

    def _decoded(self, sent: bytes, coding: str, kind: str, shown: str) -> bytes:
        body = sent
        if coding == "gzip":
            try:
                body = gzip.decompress(sent)
            except (OSError, EOFError, zlib.error):
                raise Transient(f"{shown} sent a damaged gzip body") from None
        if not body.strip():
            raise DataError(
                f"{self._source}: {shown} answered with nothing; ask again later, or correct the address"
            )
        if "text/html" in kind or body.lstrip()[:1] == b"<":
            raise DataError(
                f"{self._source}: {shown} answered with a web page in place of data; a proxy, a login page or another "
                "address may stand there: open it in a browser, or correct the address in the section fetch"
            )
        return body

    def _refused(self, error: urllib.error.HTTPError, shown: str) -> Exception:
        what = f"{shown} answered {error.code} {error.reason}"
        if error.code == 429 or error.code >= 500:
            return Transient(what, _retry_after(error.headers.get("Retry-After")))
        try:
            said = " ".join(error.read(300).decode("utf-8", "replace").split())
        except (OSError, http.client.HTTPException):
            said = ""
        told = f" ({self.masked(said)[:120]})" if said and not said.startswith("<") else ""
        if error.code in (401, 403):
            return ConfigError(f"{self._source}: {what}{told}; {self._remedy or 'access was refused'}")
        if error.code == 404:
            return NoData(f"{self._source}: {what}{told}; correct the symbol or the address")
        return DataError(f"{self._source}: {what}{told}; correct what was asked for, or the address")

    def _unreachable(self, reason: Any, shown: str) -> Exception:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return ConfigError(
                f"{self._source}: the certificate of {shown} is not trusted ({reason.verify_message}); correct the "
                "address, or the certificates of this machine (SSL_CERT_FILE)"
            )
        if isinstance(reason, TimeoutError):
            return Transient(f"{shown} was silent for {self._timeout:g} s (fetch.timeout_s)")
        said = str(reason) or type(reason).__name__
        return Transient(f"{shown} cannot be reached ({self.masked(said)})")


def _retry_after(text: str | None) -> float | None:
    """Seconds that a server asks to wait: a number of them, or a date."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return max((until - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)
