"""What the bot expects, held against what was heard so far: some answers are whole before the silence says so."""

from dialog.actions import Collect, Expect
from dialog.numbers import digit_runs, normalise


def is_whole(collect: Collect, text: str) -> bool:
    """Whether `text` already answers `collect`: a number with all its digits needs no long silence after it.

    Digits are read out in groups, so the end of such a turn is waited for longest; once all are there, the wait is
    for nothing. A number in words of other meaning ("at two, my account is ...") has other digits and waits.
    """
    if collect.expect is not Expect.DIGITS or not collect.max_digits:
        return False
    return len("".join(digit_runs(normalise(text, homophones=True)))) == collect.max_digits
