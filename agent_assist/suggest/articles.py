"""Articles on disk: one Markdown file each, with title, reply and tags in front.

    ---
    title: Moving house
    reply: Tell me your new address and the date, and I will move your line.
    tags: relocation, new address, flat
    ---

    What the agent has to know, in Markdown.

    ## Callers say

    - We are getting a new flat in March, what about our internet?

The file's name without `.md` is the article's name. A file that cannot be used is left out with a complaint that names
file and line; the others stand. Everything here blocks.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_assist.suggester import Article
from dialog.errors import ConfigurationError

SAMPLE = Path(__file__).with_name("articles")
"""The sample base: the telephone company whose help desk the bot is."""

MAX_ARTICLES = 1_000
MAX_BYTES = 65_536
MAX_TAGS = 24
MAX_PHRASES = 12
MAX_PARAGRAPHS = 4
MAX_SENTENCE = 300
"""Characters of a sentence whose meaning is looked at."""
_LONGEST: Mapping[str, int] = {"title": 100, "reply": 300, "tags": 600}
"""The keys of the front matter, and how many characters each may have. A reply is spoken: some 20 s at the most."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_FENCE = "---"
_CALLERS_SAY = "callers say"
_MARKUP = re.compile(r"[*_`|#>\[\]]+|^\s*(?:[-+]|\d+\.)\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """An article with what it is found by: `tags`, and `phrases` in which callers put it."""

    article: Article
    tags: tuple[str, ...]
    phrases: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What its meaning is taken from; the body's beginning stands in where nobody wrote what callers say."""
        head = (self.article.title, self.article.reply, ", ".join(self.tags))
        texts = (*head, *(self.phrases or _paragraphs(self.article.body)))
        return tuple(text[:MAX_SENTENCE] for text in texts if text)


Stamps = tuple[tuple[str, int, int], ...]
"""Name, time (ns) and size of each file: what tells that something changed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a folder held, in the order of the names; each complaint is one line that names file and line."""

    stamps: Stamps
    entries: tuple[Entry, ...]
    complaints: tuple[str, ...]


class _Wrong(Exception):
    """A file that cannot be used."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


def stamps(folder: Path) -> Stamps:
    """The articles' files as they are now. Raises ConfigurationError where `folder` cannot be read."""
    try:
        with os.scandir(folder) as files:
            found = [(file.name, file.stat()) for file in files if file.name.endswith(".md") and file.is_file()]
    except OSError as error:
        raise ConfigurationError(f"desk.articles: {folder} cannot be read ({error.strerror})") from error
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in found))


def read(folder: Path) -> Reading:
    """All articles of a folder. Raises ConfigurationError where it cannot be read."""
    seen = stamps(folder)
    entries, complaints = [], []
    for name, _, size in seen[:MAX_ARTICLES]:
        try:
            entries.append(_entry(folder / name, size))
        except _Wrong as wrong:
            complaints.append(f"{folder / name}:{wrong.line}: {wrong}")
    if len(seen) > MAX_ARTICLES:
        complaints.append(f"{folder / seen[MAX_ARTICLES][0]}:1: left out with all after it, {MAX_ARTICLES} are allowed")
    return Reading(seen, tuple(entries), tuple(complaints))


def _entry(path: Path, size: int) -> Entry:
    if not _NAME.fullmatch(path.stem):
        raise _Wrong(1, "name the file in lower-case letters, digits and hyphens")
    if size > MAX_BYTES:
        raise _Wrong(1, f"{size} bytes, at most {MAX_BYTES} are allowed")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise _Wrong(1, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _Wrong(error.object[: error.start].count(b"\n") + 1, "is no UTF-8") from error
    return parse(path.stem, text)


def parse(name: str, text: str) -> Entry:
    """One article from its text."""
    lines = text.splitlines()
    head, end = _front_matter(lines)
    tags = tuple(tag for tag in map(str.strip, head["tags"].split(",")) if tag)
    if len(tags) > MAX_TAGS:
        raise _Wrong(end, f"{len(tags)} tags, at most {MAX_TAGS} are allowed")
    body = "\n".join(lines[end:]).strip()
    return Entry(Article(name, head["title"], head["reply"], body), tags, tuple(_phrases(body))[:MAX_PHRASES])


def _front_matter(lines: list[str]) -> tuple[dict[str, str], int]:
    """The keys, and how many lines they take."""
    if not lines or lines[0].strip() != _FENCE:
        raise _Wrong(1, f"begin with a line of {_FENCE}, then title, reply and tags")
    head: dict[str, str] = {}
    for number, line in enumerate(lines[1:], 2):
        if line.strip() == _FENCE:
            for key in _LONGEST:
                if key not in head:
                    raise _Wrong(number, f"{key} is missing")
            return head, number
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or key not in _LONGEST:
            raise _Wrong(number, f"write one of {', '.join(_LONGEST)}, a colon, and a value on the same line")
        if key in head:
            raise _Wrong(number, f"{key} stands here for the second time")
        if not value and key != "tags":
            raise _Wrong(number, f"{key} is empty")
        if len(value) > _LONGEST[key]:
            raise _Wrong(number, f"{key} has {len(value)} characters, at most {_LONGEST[key]} are allowed")
        head[key] = value
    raise _Wrong(len(lines), f"the front matter does not end: a line of {_FENCE} is missing")


def _phrases(body: str) -> Iterator[str]:
    inside = False
    for line in body.splitlines():
        if line.startswith("#"):
            inside = line.strip("# ").lower() == _CALLERS_SAY
        elif inside and line.lstrip().startswith("- "):
            yield line.lstrip()[2:].strip()


def plain(markdown: str) -> str:
    """The words of a Markdown text, without its signs."""
    return _MARKUP.sub(" ", markdown)


def _paragraphs(body: str) -> tuple[str, ...]:
    parts = (" ".join(plain(part).split()) for part in re.split(r"\n\s*\n", body))
    return tuple(part for part in parts if part)[:MAX_PARAGRAPHS]
