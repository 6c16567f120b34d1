"""How written text is said: what the voice's own rules read wrong on a telephone.

hibari reads money, times, dates and quantities well. It reads an account number as millions, so digits that name
something are said one by one here, in groups that a caller can write down.
"""

import re

LONG_NUMBER = 5
"""Digits without separators from this length on name something; shorter ones may count something or be a year."""

_DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NAMING = (
    r"account|number|code|pin|line|order|ticket|reference|customer|contract|extension|sim|invoice|ending in|ends in|"
    r"digits|dial|call|press|key"
)
_NAMED = re.compile(
    rf"\b({_NAMING})((?:\s+(?:number|is|was|no\.?|in))*[\s:#]+)(\d{{2,}})\b(?![.,:/%]\d)", re.IGNORECASE
)
_PHONE = re.compile(r"(?<![\w.,])(\+?)(\d{2,}(?:[ \-]\d{2,}){1,5})(?![\w%]|[.,:]\d)")
_LONG = re.compile(
    rf"(?<![\w.,:€$£\-])(\+?)(\d{{{LONG_NUMBER},}}|0\d+)(?![\w%]|[.,:\-]\d| ?(?:euro|dollar|pound|cent|€))"
)
_CODE = re.compile(r"\b(?=[A-Z\d\-]*\d{3})(?=[A-Z\d\-]*[A-Z])[A-Z\d]+(?:-[A-Z\d]+)*\b")


def spoken_form(text: str) -> str:
    """`text` with identifying digits and codes spelled for the voice; other numbers are left to its own rules."""
    text = _CODE.sub(lambda m: _spelled(m.group().replace("-", "")), text)
    text = _PHONE.sub(_phone, text)
    text = _LONG.sub(lambda m: ("plus " if m.group(1) else "") + _spelled(m.group(2)), text)
    return _NAMED.sub(lambda m: m.group(1) + m.group(2) + _spelled(m.group(3)), text)


def _phone(match: re.Match[str]) -> str:
    groups = re.split(r"[ \-]", match.group(2))
    if not match.group(1) and sum(map(len, groups)) < 6 + ("-" in match.group(2)):
        return match.group()  # "20 30" is two numbers, "10-12" a range
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", match.group(2)):
        return match.group()  # a date, which the voice reads well
    return ("plus " if match.group(1) else "") + ", ".join(_spelled(group) for group in groups)


def _spelled(name: str) -> str:
    """Digits and letters one by one, a pause after every third or fourth."""
    size = 4 if len(name) % 4 == 0 or len(name) % 3 == 1 else 3
    groups = [name] if len(name) <= 4 else [name[at : at + size] for at in range(0, len(name), size)]
    return ", ".join(" ".join(_DIGIT_WORDS[int(c)] if c.isdigit() else c for c in group) for group in groups)
