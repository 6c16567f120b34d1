"""The twelve scripted dialogs and the thirty paraphrases: data that the text tests and the spoken tests share.

A script is a TOML file in `dialogs/`. Each turn is what the caller says, keys, or leaves unsaid (`silent`), with what
is expected of the bot: its intent (empty: not looked at), one of its actions, and a pattern that its words match.
All scripts are written for the customer base as it is generated, fresh for each.
"""

import csv
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from dialog.ports import Hypothesis, Keys, NoInput, UserTurn, Utterance

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the caller and what must follow. `ends`: "", "handoff" or "hangup"."""

    say: str = ""
    keys: str = ""
    silent: bool = False
    intent: str = ""
    action: str = ""
    reply: str = ""
    ends: str = ""

    @property
    def user_turn(self) -> UserTurn:
        """The turn as the dialog engine gets it when it was heard without a fault."""
        if self.silent:
            return NoInput()
        return Keys(self.keys) if self.keys else Utterance((Hypothesis(self.say, 0.9),))

    def matches(self, spoken: str) -> bool:
        """Whether what the bot said is what the script expects; case and punctuation are not looked at."""
        return re.search(self.reply, " ".join(re.findall(r"[a-z0-9']+", spoken.lower()))) is not None


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    title: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Paraphrase:
    """A caller's first sentence that no training example has."""

    text: str
    intent: str
    action: str


def scripts() -> list[Script]:
    """All scripts, in the order of their names."""
    found = []
    for file in sorted((_HERE / "dialogs").glob("*.toml")):
        body = tomllib.loads(file.read_text(encoding="utf-8"))
        found.append(Script(file.stem, body["title"], tuple(Turn(**turn) for turn in body["turns"])))
    return found


def paraphrases() -> list[Paraphrase]:
    with (_HERE / "paraphrases.tsv").open(encoding="utf-8", newline="") as file:
        return [Paraphrase(**row) for row in csv.DictReader(file, delimiter="\t")]
