"""A small folder of articles for tests."""

from pathlib import Path

ARTICLES = {
    "roaming": ("Using the phone elsewhere", "Roaming is on.", "roaming, travel", "I am going to Greece on holiday"),
    "block-sim": ("Blocking a SIM card", "I will block the card now.", "lost, stolen", "My phone was stolen"),
    "bill": ("Understanding the bill", "Let us go through it.", "charges, amount", "Why is my bill so high"),
}


def text(title: str, reply: str, tags: str, phrase: str) -> str:
    """One article as a file holds it."""
    return f"---\ntitle: {title}\nreply: {reply}\ntags: {tags}\n---\n\nWhat to do.\n\n## Callers say\n\n- {phrase}\n"


def fill(folder: Path) -> Path:
    """Write the three articles."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, parts in ARTICLES.items():
        (folder / f"{name}.md").write_text(text(*parts), encoding="utf-8")
    return folder
