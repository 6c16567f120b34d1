"""Spoken numbers to digits, and digits to something a voice can say.

Recognisers write the same number in many ways: "one two three", "1 2 3", "1-2-3", "123", "double two", "twenty three".
Behind this module there is one: a run of digits. Number words are English; words of other languages pass as they are.
Standard library only, Python 3.10 or newer: it also runs inside Rasa.
"""

import re
import unicodedata


def _words(text: str) -> list[str]:
    return text.split()


_DIGITS = dict(zip(_words("zero one two three four five six seven eight nine"), "0123456789", strict=True)) | {
    "nought": "0",
    "naught": "0",
    "nil": "0",
}
_OH = frozenset({"oh", "o"})
_TEENS = {
    word: number
    for number, word in enumerate(
        _words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"), start=10
    )
}
_TENS = {
    word: number * 10
    for number, word in enumerate(_words("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)
} | {"fourty": 40}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000}
_TIMES = {"double": 2, "triple": 3, "treble": 3}
_HOMOPHONES = {"to": "2", "too": "2", "for": "4", "fore": "4", "won": "1", "ate": "8"}
_FILLERS = frozenset({"um", "uh", "er", "erm", "hmm", "mm", "uhm", "ah"})
# "that one" is no number, unless more digits follow
_BEFORE_PRONOUN = frozenset(_words("that this the other no which another any every some last first new old only a"))
# "five five oh sorry": here "oh" is a sigh
_AFTER_SIGH = frozenset(_words("sorry no wait i my well hold hang dear god yes"))
_CURRENCIES = {"€": "euros", "$": "dollars", "£": "pounds"}
_MONEY_WORDS = r"(euros?|dollars?|pounds?)"

_SYMBOL_AMOUNT = re.compile(r"([€$£])\s?(\d+(?:,\d{3})*)(?:\.(\d\d))?(?![\d.])", re.ASCII)
_WORD_AMOUNT = re.compile(r"(\d+)\.(\d\d)\s*" + _MONEY_WORDS, re.ASCII)
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[-,./](?=\d)", re.ASCII)


def tokens(text: str) -> list[str]:
    """Words of `text` in lower case; punctuation, fillers and signs between digits are gone, amounts are words."""
    lowered = text.lower().replace("’", "'")
    lowered = _SYMBOL_AMOUNT.sub(
        lambda m: f" {m[2].replace(',', '')} {_CURRENCIES[m[1]]} " + (m[3] if m[3] and m[3] != "00" else ""), lowered
    )
    lowered = _WORD_AMOUNT.sub(lambda m: f"{m[1]} {m[3]} {m[2]}", lowered)
    lowered = _BETWEEN_DIGITS.sub("", lowered)
    # by category and not by \w, which takes the vowel signs of Indic scripts for gaps between words
    spaced = "".join(c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in lowered)
    words = (word.strip("'") for word in spaced.split())
    return [word for word in words if word and word not in _FILLERS]


def normalise(text: str, *, homophones: bool = False) -> str:
    """`text` as words and runs of digits, parted by single spaces; nothing but letters, digits and `'` is left.

    With `homophones`, "for" or "to" between digits is a digit too: only right where digits are expected.
    """
    words = tokens(text)
    out: list[str] = []
    run: list[str] = []
    at = 0
    while at < len(words):
        piece, after = _cardinal(words, at)
        if not piece:
            piece, after = _digits_at(words, at, bool(run), sum(map(len, run)), homophones)
        if piece:
            run.append(piece)
        else:
            if run:
                out.append("".join(run))
                run = []
            out.append(words[at])
            after = at + 1
        at = after
    if run:
        out.append("".join(run))
    return " ".join(out)


def digit_runs(normalised: str) -> list[str]:
    """The runs of digits in a text that `normalise` made, in order."""
    return [word for word in normalised.split() if word.isascii() and word.isdigit()]


def spell(digits: str) -> str:
    """Digits as a voice should say them, in groups: "12345678" gives "1 2 3 4, 5 6 7 8"."""
    size = 4 if len(digits) % 4 == 0 else 3
    return ", ".join(" ".join(digits[i : i + size]) for i in range(0, len(digits), size))


def amount(cents: int) -> str:
    """Money as a voice should say it: 1250 gives "12 euros and 50 cents"."""
    euros, rest = divmod(cents, 100)
    whole = f"{euros} euro" + ("" if euros == 1 else "s")
    part = f"{rest} cent" + ("" if rest == 1 else "s")
    if not rest:
        return whole
    return f"{whole} and {part}" if euros else part


def _is_number(word: str) -> bool:
    return word in _DIGITS or word in _TEENS or word in _TENS or (word.isascii() and word.isdigit()) or word in _TIMES


def _small(word: str) -> int | None:
    """The value of one word below a hundred, as part of a number with scales."""
    if word in _DIGITS:
        return int(_DIGITS[word])
    if word.isascii() and word.isdigit() and len(word) <= 3:
        return int(word)
    return _TEENS.get(word, _TENS.get(word))


def _cardinal(words: list[str], at: int) -> tuple[str, int]:
    """A number that names a scale ("two hundred and five") from `at`: its digits and where it ends; "" when none."""
    total, current, scaled, i = 0, -1, False, at
    if words[at] == "a" and at + 1 < len(words) and words[at + 1] in _SCALES:
        current, i = 1, at + 1
    while i < len(words):
        word, value = words[i], _small(words[i])
        if word in _SCALES and current > 0:
            scale = _SCALES[word]
            if scale == 100:
                current *= 100
            else:
                total, current = total + current * scale, 0
            scaled = True
        elif value is not None and (
            current < 0
            or (scaled and current % 100 == 0)
            or (value and value < 10 and current % 100 >= 20 and current % 10 == 0 and words[i - 1] in _TENS)
        ):
            current = max(current, 0) + value
        elif not (word == "and" and scaled and i + 1 < len(words) and _small(words[i + 1]) is not None):
            break
        i += 1
    return (str(total + max(current, 0)), i) if scaled else ("", at)


def _digits_at(words: list[str], at: int, in_run: bool, run_length: int, homophones: bool) -> tuple[str, int]:
    """Digits that stand at `at` and the place after them; "" when the word is no number here."""
    word = words[at]
    following = words[at + 1] if at + 1 < len(words) else ""
    if word in _TIMES:
        doubled = "0" if following in _OH else _DIGITS.get(following, following)
        single = len(doubled) == 1 and doubled.isascii() and doubled.isdigit()
        return (doubled * _TIMES[word], at + 2) if single else ("", at)
    if word in _OH:
        return ("0", at + 1) if _oh_is_zero(words, at, in_run, run_length) else ("", at)
    if word in _HOMOPHONES:
        meant = homophones and in_run and (_is_number(following) or following in _OH)
        return (_HOMOPHONES[word], at + 1) if meant else ("", at)
    if word == "one" and not in_run and at and words[at - 1] in _BEFORE_PRONOUN and not _is_number(following):
        return "", at
    if word.isascii() and word.isdigit():
        return word, at + 1
    if word in _DIGITS:
        return _DIGITS[word], at + 1
    if word in _TEENS:
        return str(_TEENS[word]), at + 1
    if word in _TENS:
        unit = _DIGITS.get(following, following)
        if len(unit) == 1 and unit in "123456789":
            return str(_TENS[word] + int(unit)), at + 2
        return str(_TENS[word]), at + 1
    return "", at


def _oh_is_zero(words: list[str], at: int, in_run: bool, run_length: int) -> bool:
    def number(i: int) -> bool:
        return i < len(words) and (_is_number(words[i]) or words[i] in _OH)

    if in_run:
        last = at + 1 == len(words)
        return last or number(at + 1) or (run_length >= 3 and words[at + 1] not in _AFTER_SIGH)
    return number(at + 1) and (at + 2 == len(words) or number(at + 2))
