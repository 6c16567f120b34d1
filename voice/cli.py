"""The command `centralino`: options are named here, work is done in `voice/commands`."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from dialog.errors import CentralinoError
from voice.config import Settings, load
from voice.observe import configure_logging
from voice.origin import check_origin

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would print local variables: secrets, and what callers said
    help="A voice server: SIP and browser calls, one box.",
)
users_app = typer.Typer(no_args_is_help=True, help="Who may sign in.")
calls_app = typer.Typer(no_args_is_help=True, help="The record of calls.")
models_app = typer.Typer(no_args_is_help=True, help="Recognition models.")
app.add_typer(users_app, name="users")
app.add_typer(calls_app, name="calls")
app.add_typer(models_app, name="models")

Config = Annotated[Path | None, typer.Option("--config", help="Settings file; default: centralino.toml, if there.")]
Assignments = Annotated[list[str] | None, typer.Option("--set", help="SECTION.NAME=VALUE, over file and environment.")]
Skills = Annotated[list[str] | None, typer.Option("--skill", help="What callers may be routed by; give one each.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _settings(config: Path | None, assignments: list[str] | None) -> Settings:
    return load(config, assignments or ())


@app.command()
def serve(config: Config = None, assignments: Assignments = None) -> None:
    """Take calls until stopped (SIGTERM waits for live calls, twice does not)."""
    from voice.commands.serve import serve as run

    run(_settings(config, assignments))


@app.command()
def check(config: Config = None, assignments: Assignments = None, json: Json = False) -> None:
    """Try ports, models, Rasa and the audio path; a verdict each."""
    from voice.commands.check import check as run

    raise SystemExit(0 if run(_settings(config, assignments), as_json=json) else 1)


@app.command()
def call(
    to: Annotated[str, typer.Argument(help="Whom: sip:100@127.0.0.1, for example, or with --trunk a number.")],
    say: Annotated[list[Path] | None, typer.Option("--say", help="Play a WAV file, then listen.")] = None,
    text: Annotated[list[str] | None, typer.Option("--text", help="Speak a text, then listen.")] = None,
    dtmf: Annotated[list[str] | None, typer.Option("--dtmf", help="Press keys, then listen.")] = None,
    audio: Annotated[Path, typer.Option("--audio", help="Sound file for what was heard.")] = Path("heard.wav"),
    user: Annotated[str, typer.Option("--user", help="Who calls, if asked; password: CENTRALINO_PASSWORD.")] = "",
    srtp: Annotated[bool, typer.Option("--srtp", help="Encrypted (SRTP), or not at all.")] = False,
    trunk: Annotated[str, typer.Option("--trunk", help="Through which trunk of the settings, if any.")] = "",
    config: Config = None,
    assignments: Assignments = None,
    json: Json = False,
) -> None:
    """Phone somebody by SIP: say, key and print what was heard, in the order of the options."""
    from voice.commands.call import by_trunk, by_uri, read_login, steps_in_order
    from voice.commands.call import call as run

    steps = steps_in_order(sys.argv, {"--say": map(str, say or []), "--text": text or [], "--dtmf": dtmf or []})
    settings = _settings(config, assignments)
    way = by_trunk(settings, trunk, to) if trunk else by_uri(to, read_login(user, os.environ), srtp=srtp)
    raise SystemExit(0 if run(to, way, steps, audio, as_json=json) else 1)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="What a caller said: WAV or FLAC, mono, or the caller on the left.")],
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Let a recording call a node of its own, and print the journal."""
    from voice.commands.replay import replay as run

    run(file, _settings(config, assignments))


@app.command()
def train(config: Config = None, assignments: Assignments = None) -> None:
    """Train the bot: the packaged help desk, or the project that dialog.project names."""
    from dialog.engines.training import PROJECT
    from dialog.engines.training import train as run
    from voice.bots import models_folder

    project = _settings(config, assignments).dialog.project or PROJECT
    typer.echo(run(project, models_folder(), None, typer.echo))


@models_app.command("list")
def models_list(full: Annotated[bool, typer.Option("--full", help="Check every file's hash.")] = False) -> None:
    """The models this version knows, and which are here."""
    from voice.commands.models import list_all

    list_all(full=full)


@models_app.command("get")
def models_get(name: str, config: Config = None, assignments: Assignments = None) -> None:
    """Fetch a model by name, with progress and hash check (models.base_url names from where)."""
    from voice.commands.models import get

    get(name, _settings(config, assignments).models.base_url)


@users_app.command("list")
def users_list(config: Config = None, assignments: Assignments = None) -> None:
    """Everybody who may sign in, with role and skills."""
    from voice.commands.records import list_users

    asyncio.run(list_users(_settings(config, assignments)))


@users_app.command("add")
def users_add(
    name: str,
    role: Annotated[str, typer.Option("--role", help="agent, supervisor or administrator")] = "agent",
    skills: Skills = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Add somebody; the password is printed once. Agents take calls and read those they took."""
    from voice.commands.records import add_user

    asyncio.run(add_user(_settings(config, assignments), name, role, skills or ()))


@users_app.command("skills")
def users_skills(name: str, skills: Skills = None, config: Config = None, assignments: Assignments = None) -> None:
    """Give somebody these skills and no others."""
    from voice.commands.records import set_skills

    asyncio.run(set_skills(_settings(config, assignments), name, skills or ()))


@users_app.command("password")
def users_password(name: str, config: Config = None, assignments: Assignments = None) -> None:
    """Give somebody a new password, printed once; open sessions end."""
    from voice.commands.records import reset_password

    asyncio.run(reset_password(_settings(config, assignments), name))


@users_app.command("token")
def users_token(name: str, label: str, config: Config = None, assignments: Assignments = None) -> None:
    """Make an API token for programs in somebody's name; printed once."""
    from voice.commands.records import add_token

    asyncio.run(add_token(_settings(config, assignments), name, label))


@users_app.command("tokens")
def users_tokens(config: Config = None, assignments: Assignments = None) -> None:
    """Every API token: whose it is, its label, and when it was made."""
    from voice.commands.records import list_tokens

    asyncio.run(list_tokens(_settings(config, assignments)))


@users_app.command("revoke")
def users_revoke(name: str, label: str, config: Config = None, assignments: Assignments = None) -> None:
    """Take an API token back: from now on it opens nothing, also in a running node."""
    from voice.commands.records import remove_token

    asyncio.run(remove_token(_settings(config, assignments), name, label))


@users_app.command("remove")
def users_remove(name: str, config: Config = None, assignments: Assignments = None) -> None:
    """Remove somebody, with sessions and tokens."""
    from voice.commands.records import remove_user

    asyncio.run(remove_user(_settings(config, assignments), name))


@calls_app.command("list")
def calls_list(limit: int = 20, config: Config = None, assignments: Assignments = None) -> None:
    """The latest calls."""
    from voice.commands.records import list_calls

    asyncio.run(list_calls(_settings(config, assignments), limit))


@calls_app.command("show")
def calls_show(call_id: str, config: Config = None, assignments: Assignments = None) -> None:
    """One call's journal, a JSON line an event."""
    from voice.commands.records import show_call

    asyncio.run(show_call(_settings(config, assignments), call_id))


@calls_app.command("erase")
def calls_erase(call_id: str, config: Config = None, assignments: Assignments = None) -> None:
    """Remove a call's journal and recording at once."""
    from voice.commands.records import erase_call

    asyncio.run(erase_call(_settings(config, assignments), call_id))


def main() -> None:
    """Run one command. What the error tree names is one line and exit code 1; wrong usage is 2."""
    try:
        check_origin()
        configure_logging(as_json=False, with_pii=False)
        app()
    except CentralinoError as error:
        typer.echo(f"centralino: {error}", err=True)
        raise SystemExit(1) from None
