"""Two spellings of the same words made one, before words are compared. Each rule says why it changes no word.

The rules were written by reading what differed; none makes words equal that sound unlike.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A regular expression on lower-case text, what takes its place, and why."""

    pattern: str
    put: str
    reason: str


_SYMBOLS = (
    Rule("’", "'", "typographic apostrophe"),
    Rule(r"#", " pound ", "the key's name as this speaker reads it"),
    Rule(r"\*", " star ", "the key's name"),
    Rule(r"%", " percent ", "read as a word"),
    Rule(r"&", " and ", "read as a word"),
    Rule(r"\bwww\.(\w+)\.(\w+)", r"www \1 dot \2", "an address is read with its dot"),
)

_SPELLINGS = (
    Rule(r"\bmr\b\.?", "mister", "abbreviation"),
    Rule(r"\bpls\b", "please", "abbreviation"),
    Rule(r"\bthru\b", "through", "spelling"),
    Rule(r"\bok\b", "okay", "spelling"),
    Rule(r"\be-?mails?\b", "email", "hyphen"),
    Rule(r"\bvoice[ -]mail", "voicemail", "one word or two"),
    Rule(r"\bmail[ -]box", "mailbox", "one word or two"),
    Rule(r"\blog(ged)?[ -](in|out|off)\b", r"log\1\2", "one word or two"),
    Rule(r"\btouch[ -]tone", "touchtone", "one word or two"),
    Rule(r"\bkey[ -]pad", "keypad", "one word or two"),
    Rule(r"\bkey[ -]word", "keyword", "one word or two"),
    Rule(r"\bplay[ -]back", "playback", "one word or two"),
    Rule(r"\bblack[ -]?list", "blacklist", "one word or two"),
    Rule(r"\bfile[ -]name", "filename", "one word or two"),
    Rule(r"\bhang[ -]up\b", "hangup", "one word or two"),
    Rule(r"\bcall[ -]back\b", "callback", "one word or two"),
    Rule(r"\bgood[ -]bye\b", "goodbye", "one word or two"),
    Rule(r"\bset[ -]up\b", "setup", "one word or two"),
    Rule(r"\bvoice over\b", "voiceover", "one word or two"),
    Rule(r"\bcan not\b", "cannot", "one word or two"),
    Rule(r"\bre-?[ ]?(record|enter|dial)", r"re\1", "one word or two"),
    Rule(r"\bun-?[ ]?mute", "unmute", "one word or two"),
    Rule(r"\binter-?[ ]?asterisk", "interasterisk", "one word or two"),
    Rule(r"\bi'm\b", "i am", "contraction, as often written out as not"),
    Rule(r"\bi'd\b", "i would", "contraction"),
    Rule(r"\byou'd\b", "you would", "contraction"),
    Rule(r"\byou're\b", "you are", "contraction"),
    Rule(r"\bthat's\b", "that is", "contraction"),
    Rule(r"\bwe're\b", "we are", "contraction"),
    Rule(r"\bit's\b", "it is", "contraction"),
    Rule(r"\bexclaimation\b", "exclamation", "misspelt in the transcript"),
    Rule(r"\brepresenatives\b", "representatives", "misspelt in the transcript"),
    Rule(r"\bumute\b", "unmute", "misspelt in the transcript"),
)

_NUMBERS = (
    Rule(r"(\d)(st|nd|rd|th)\b", r"\1", "ordinals lose their ending on both sides"),
    Rule(r"(\d),(?=\d{3}\b)", r"\1", "thousands separator"),
)

_REST = (
    Rule(r"[^a-z' ]", " ", "punctuation and hyphens are not spoken"),
    Rule(r"(?<![a-z])'|'(?![a-z])", " ", "quotation marks, as opposed to apostrophes"),
)

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = ["", "", *"twenty thirty forty fifty sixty seventy eighty ninety".split()]


def normalised(text: str) -> str:
    """`text` in lower case, one spelling for each word, numbers as words, no punctuation."""
    text = _applied((*_SYMBOLS, *_SPELLINGS, *_NUMBERS), text.lower())
    text = re.sub(r"(\d+)\.(\d+)", lambda m: f"{m[1]} point {' '.join(m[2])}", text)
    text = re.sub(r"\d+", lambda m: f" {_words(int(m[0]))} ", text)
    return " ".join(_applied(_REST, text).split())


def _applied(rules: tuple[Rule, ...], text: str) -> str:
    for rule in rules:
        text = re.sub(rule.pattern, rule.put, text)
    return text


def _words(number: int) -> str:
    """Up to 999 as a number, longer ones digit by digit, as account and telephone numbers are read."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        return f"{_TENS[number // 10]} {_ONES[number % 10] if number % 10 else ''}"
    if number < 1_000:
        return f"{_ONES[number // 100]} hundred {_words(number % 100) if number % 100 else ''}"
    return " ".join(_ONES[int(digit)] for digit in str(number))
