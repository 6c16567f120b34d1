"""`centralino models`: what is known, what is here, and fetching the rest."""

import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from voice.speech import model_setup
from voice.speech.models import list_models


def list_all(*, full: bool) -> None:
    """Print a table of all models; `full` checks every file's hash."""
    table = Table("name", "kind", "state", "size", "path", box=None)
    for model in list_models(full=full):
        size = f"{model.size_bytes / 1e6:.0f} MB"
        table.add_row(model.name, str(model.kind), str(model.state), size, str(model.path or ""))
    Console().print(table)


def get(name: str, base_url: str) -> None:
    """Fetch `name` with a progress bar. Raises ModelMissing or ConfigurationError with the remedy."""
    with Progress() as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=total or None)

        path = model_setup.get(name, base_url or None, report)
    typer.echo(path)
