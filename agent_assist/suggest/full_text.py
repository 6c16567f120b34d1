"""Full text: SQLite's FTS5 in memory, with Porter's stems and BM25 (Robertson and Zaragoza 2009).

Small talk is indexed beside the articles as rows that are never found: it keeps the weight of common words low, and the
scores of a base of three articles comparable with those of a base of three hundred.
"""

import sqlite3
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from agent_assist.suggest.articles import Entry, plain

_WEIGHTS = (4.0, 2.0, 3.0, 3.0, 1.0)
"""Of a word in title, reply, tags, what callers say, body."""
_HALF = 8.0
"""BM25 at which a match counts half of what any may count."""


class FullText:
    """The index of one base; for one thread at a time."""

    def __init__(self, entries: Sequence[Entry], background: Iterable[str]) -> None:
        self._size = len(entries)
        self._base = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._base.execute(
            "CREATE VIRTUAL TABLE text USING fts5(title, reply, tags, phrases, body,"
            " tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        rows = [
            (e.article.title, e.article.reply, " ".join(e.tags), " ".join(e.phrases), plain(e.article.body))
            for e in entries
        ]
        rows += [("", "", "", phrase, "") for phrase in background]
        self._base.execute("BEGIN")
        self._base.executemany(
            "INSERT INTO text (rowid, title, reply, tags, phrases, body) VALUES (?, ?, ?, ?, ?, ?)",
            ((number, *row) for number, row in enumerate(rows)),
        )
        self._base.execute("COMMIT")

    def scores(self, words: Sequence[str], *, prefix: bool = False) -> NDArray[np.float64]:
        """BM25 of each entry against any of the words, bent into 0..1; `prefix`: the last word may go on."""
        scores = np.zeros(self._size)
        if words:
            asked = " OR ".join(map(_quoted, words)) + (" *" if prefix else "")
            found = self._base.execute(
                "SELECT rowid, -bm25(text, ?, ?, ?, ?, ?) FROM text WHERE text MATCH ? AND rowid < ?",
                (*_WEIGHTS, asked, self._size),
            )
            for number, score in found:
                scores[number] = score / (score + _HALF)
        return scores

    def holding(self, word: str) -> frozenset[int]:
        """The entries that hold a word, or another with its stem."""
        found = self._base.execute(
            "SELECT rowid FROM text WHERE text MATCH ? AND rowid < ?", (_quoted(word), self._size)
        )
        return frozenset(number for (number,) in found)

    def close(self) -> None:
        self._base.close()


def _quoted(word: str) -> str:
    """As an FTS5 string, inside which no operator works; a NUL would end the query."""
    return '"' + word.replace('"', '""').replace("\0", " ") + '"'
