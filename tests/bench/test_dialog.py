"""The dialog bench: what it measures is what the help desk runs."""

from pathlib import Path

from bench.figures import ROOT


def pipeline(config: Path) -> str:
    _, _, rest = config.read_text().partition("pipeline:\n")
    steps, _, _ = rest.partition("policies:\n")
    return steps.strip()


def test_the_recommended_classifier_is_the_help_desks_own() -> None:
    own = pipeline(ROOT / "dialog" / "bot" / "rasa" / "project" / "config.yml")
    assert "FallbackClassifier" in own
    assert pipeline(ROOT / "bench" / "dialog_rasa" / "vectors.yml") == own
