"""Text cut into phrases: what is synthesised, played, interrupted and resumed as one.

A phrase is a sentence, or a clause of a sentence too long to wait for. `" ".join(split_phrases(text))` is the text
again, its white space single.
"""

import re

LONG_CHARS = 120
"""About eight seconds of speech: longer sentences are cut at clauses."""
CLAUSE_CHARS = 30
"""A clause shorter than this is not worth a breath of its own."""

_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)")
_CLAUSE = re.compile(r"(?:[,;:](?=\s)|\s(?=[–—]\s))")
_TITLES = frozenset(
    ("mr", "mrs", "ms", "dr", "prof", "st", "no", "nos", "vs", "e.g", "i.e", "approx", "dept", "ext", "inc")
)
_SHORT = frozenset(("ltd", "tel", "max", "min", "jan", "feb", "mar", "apr", "aug", "sep", "sept", "oct", "nov", "dec"))
_ABBREVIATIONS = _TITLES | _SHORT


def split_phrases(text: str) -> list[str]:
    """The phrases of `text` in order, none empty; numbers, times, initials and abbreviations are not cut."""
    return [phrase for sentence in _sentences(" ".join(text.split())) for phrase in _clauses(sentence)]


def _sentences(text: str) -> list[str]:
    sentences = []
    start = 0
    for end in _END.finditer(text):
        if _is_end(text[start : end.start()], end.group(), text[end.end() :].lstrip()):
            sentences.append(text[start : end.end()].strip())
            start = end.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _is_end(before: str, mark: str, after: str) -> bool:
    """Whether `mark` ends a sentence, by the word before it and the letter after it."""
    if mark[0] != "." or mark.startswith(".."):
        return not after[:1].islower()
    word = before.rpartition(" ")[2].lstrip("(\"'“‘[").lower()
    if word in _ABBREVIATIONS:
        # "No. 5" and "No. We are closed." differ by what follows
        return word in ("no", "max", "min") and not after[:1].isdigit()
    initial = len(word) == 1 and word.isalpha() and word != "i"
    dotted = re.fullmatch(r"(?:[a-z]\.)+[a-z]", word) is not None
    if initial or dotted:
        # "J. Smith" goes on; "at 5 p.m. We" does not
        return dotted and after[:1].isupper()
    return not after[:1].islower()


def _clauses(sentence: str) -> list[str]:
    clauses = []
    while len(sentence) > LONG_CHARS:
        cuts = [cut.end() for cut in _CLAUSE.finditer(sentence)]
        fitting = [cut for cut in cuts if CLAUSE_CHARS <= cut <= min(LONG_CHARS, len(sentence) - CLAUSE_CHARS)]
        if not fitting:
            break
        clauses.append(sentence[: fitting[-1]].strip())
        sentence = sentence[fitting[-1] :].strip()
    return [*clauses, sentence]
