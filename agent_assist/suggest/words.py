"""What counts of a caller's phrase: its content words, without those that say nothing of the matter.

Numbers never count, said or written: an account number is in no article, and "one two three four" is no wish.
"""

import re
import unicodedata
from collections.abc import Iterable

MAX_CHARACTERS = 300
"""Of a longer phrase the end counts: twenty seconds of talk, and the time a vector may take."""
MAX_WORDS = 32

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_SIGNS = re.compile(r"[^\w\s.,;:!?'-]+")
_NUMBERS = """zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand double triple
    first second third fourth fifth sixth seventh eighth ninth tenth"""
_GRAMMAR = """a about after again all also am an and another any are aren't as at be because been before being but by
    can can't cannot could couldn't did didn't do does doesn't doing don't done each either else even ever every for
    from had has hasn't have haven't having he he's her here hers him his how i i'd i'll i'm i've if in into is isn't
    it it'll it's its itself just many may me might more most much must my myself neither no nor not of on only onto
    or other our ours own quite rather shall she she's should shouldn't since so some somebody someone something still
    such than that that'll that's the their theirs them then there there's these they they'd they'll they're they've
    this those though through to too towards until up upon us very was wasn't we we'd we'll we're we've were weren't
    what what's when where where's which while who who's whom whose why will with within won't would wouldn't you
    you'd you'll you're you've your yours yourself"""
_TALK = """actually afternoon ah alright anyway anything ask asked asking bit bye call called calling certainly come
    correct er everything evening exactly excuse fine get gets getting give go goes going gone good goodbye got great
    hear heard hello hey hi hm hmm hold kind know let let's like listen little look looking lot matter maybe mean mhm
    moment morning need needs nice nobody nope now ok okay once one's pardon perfect person please problem put
    question really right said say saying says see sorry sort speak speaking sure take tell telling thank thanks thing
    things think told uh uhm um understand understood wait want wanted wants well went whatever yeah yep yes yet yup"""
STOP_WORDS = frozenset(f"{_NUMBERS} {_GRAMMAR} {_TALK}".split())
"""Grammar, small talk and numbers."""


def clean(text: str) -> str:
    """One line of words and plain punctuation, bounded: the end of a long text.

    Other signs go, for a row of them takes a model longer than any sentence.
    """
    text = unicodedata.normalize("NFKC", text[-4 * MAX_CHARACTERS :]).replace("’", "'")
    line = " ".join(_SIGNS.sub(" ", text).split())
    if len(line) <= MAX_CHARACTERS:
        return line
    end = line[-MAX_CHARACTERS:]
    return end.partition(" ")[2] or end


def words(text: str) -> list[str]:
    """Words in lower case, as they stand, without the possessive."""
    return [word.removesuffix("'s") for word in _WORD.findall(text.lower())]


def content(text: str) -> tuple[str, ...]:
    """The words that may lead to an article, each once, in their order; at most `MAX_WORDS`, the last ones."""
    return _unique(word for word in words(text) if word not in STOP_WORDS and not any(map(str.isdigit, word)))


def every(text: str) -> tuple[str, ...]:
    """All words, for a search by hand: who types a word means it."""
    return _unique(words(text))


def _unique(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))[-MAX_WORDS:]
