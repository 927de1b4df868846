"""Where records end in a text file, found block by block with numpy."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]

_QUOTE, _NEWLINE, _RETURN = b'"\n\r'
_OTHER = ord("x")


class RecordEnds(Protocol):
    """Given a file's blocks in order, says where in each records end. A block must not end with one of `unsure`."""

    unsure: bytes
    counts_blank: bool
    """Whether a record without anything in it is a row."""

    def of(self, block: Bytes) -> Places:
        """The places after the last byte of each record that ends in this block."""

    def finish(self) -> None:
        """The file has ended. Raises ValueError if it may not here."""


class JsonEnds:
    """JSON lines: a record ends with a newline."""

    unsure = b""
    counts_blank = False

    def of(self, block: Bytes) -> Places:
        return np.flatnonzero(block == _NEWLINE) + 1

    def finish(self) -> None:
        pass


class TextEnds:
    """A text for each line, as str.splitlines() cuts UTF-8: it knows more than newlines."""

    unsure = b"\r\xc2\xe2\x80"
    counts_blank = True
    _single = np.isin(np.arange(256), list(b"\n\r\v\f\x1c\x1d\x1e"))
    _last = np.isin(np.arange(256), [0x85, 0xA8, 0xA9])

    def of(self, block: Bytes) -> Places:
        ends = self._single[block]
        ends[:-1] &= ~((block[:-1] == _RETURN) & (block[1:] == _NEWLINE))
        for place in np.flatnonzero(self._last[block]):
            before = block[max(place - 2, 0) : place + 1].tobytes()
            ends[place] = before in (b"\xe2\x80\xa8", b"\xe2\x80\xa9") or before[-2:] == b"\xc2\x85"
        return np.flatnonzero(ends) + 1

    def finish(self) -> None:
        pass


class CsvEnds:
    """csv as pandas reads it: \\n, \\r\\n or \\r end a record, except in a field that begins with a quote."""

    unsure = b"\r"
    counts_blank = False

    def __init__(self) -> None:
        self._inside = False
        self._before = _NEWLINE
        """The last byte of the block before; a quote only if it may be the first of two that stand for one."""

    def of(self, block: Bytes) -> Places:
        raw = block.tobytes()
        ends = block == _NEWLINE
        if b"\r" in raw:
            returns = block == _RETURN
            returns[:-1] &= block[1:] != _NEWLINE
            ends |= returns
        places = np.flatnonzero(ends)
        if b'"' in raw:
            places = self._unquoted(block, places)
        elif self._inside:
            return places[:0]
        else:
            self._before = raw[-1]
        return places + 1

    def finish(self) -> None:
        if self._inside:
            raise ValueError("a quote is opened and never closed")

    def _unquoted(self, block: Bytes, places: Places) -> Places:
        """Those of the places that are in no quotes. Every quote opens or closes, if the file keeps to RFC 4180."""
        quotes = np.flatnonzero(block == _QUOTE)
        left = np.where(quotes > 0, block[quotes - 1], np.uint8(self._before))
        begins = _FIELD_BEGINS[left]
        opening = slice(1 if self._inside else 0, None, 2)
        if not (begins[opening] | (left[opening] == _QUOTE)).all():
            quotes = self._that_count(quotes, begins)
        inside = (np.searchsorted(quotes, places) + self._inside) % 2 == 1
        self._inside = bool((len(quotes) + self._inside) % 2)
        last = int(block[-1])
        counts = len(quotes) and quotes[-1] == len(block) - 1
        self._before = _OTHER if last == _QUOTE and not counts else last
        unquoted: Places = places[~inside]
        return unquoted

    def _that_count(self, quotes: Places, begins: NDArray[np.bool_]) -> Places:
        """The quotes that open or close, where some are amid a field: there they are characters like any other."""
        inside, found = self._inside, []
        closed = -1 if self._before == _QUOTE and not inside else -2
        for place, can_open in zip(quotes.tolist(), begins.tolist(), strict=True):
            if inside:
                inside, closed = False, place
            elif can_open or closed == place - 1:
                inside = True
            else:
                continue
            found.append(place)
        return np.asarray(found, np.int64)


_FIELD_BEGINS = np.isin(np.arange(256), list(b",\n\r"))
