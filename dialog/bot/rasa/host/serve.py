"""Serve one Rasa model on loopback through the voice channel: `python serve.py PROJECT MODEL`.

Started and watched by `dialog/engines/rasa_server.py`. The token comes by the environment (`CENTRALINO_RASA_TOKEN`);
the port is chosen by the system and printed as `ready PORT`. When standard input closes or the parent dies, this
process dies too: no orphan is left behind, even when it hangs.
"""

import ctypes
import functools
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import house

_PR_SET_PDEATHSIG = 1


def _die_with_parent():
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def wait():
        # os.read: a thread inside sys.stdin would keep the interpreter from ending by itself
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main(project, model):
    _die_with_parent()
    house.enter_dialog()
    house.stand_in_for_tensorflow()
    sys.path.insert(0, str(project))

    import inprocess
    import rasa.core.run
    import rasa.core.utils
    import rasa.utils.log_utils
    import voice_channel

    rasa.utils.log_utils.configure_structlog(logging.WARNING)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    inprocess.check_results_with_one_validator()
    endpoints_file = project / "endpoints.yml"
    endpoints = (
        rasa.core.utils.AvailableEndpoints.read_endpoints(str(endpoints_file))
        if endpoints_file.exists()
        else rasa.core.utils.AvailableEndpoints()
    )
    if endpoints.action is None:
        endpoints.action = inprocess.InProcessActions("actions")
    channel = voice_channel.VoiceChannel(os.environ["CENTRALINO_RASA_TOKEN"])
    # without Rasa's own HTTP API: the channel is all that answers, and it asks for the token
    app = rasa.core.run.configure_app([channel], enable_api=False, endpoints=endpoints)
    app.register_listener(
        functools.partial(rasa.core.run.load_agent_on_start, str(model), endpoints, None), "before_server_start"
    )
    app.register_listener(rasa.core.run.close_resources, "after_server_stop")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))

    async def announce(app, loop):
        sys.stdout.write(f"ready {listener.getsockname()[1]}\n")
        sys.stdout.flush()

    app.register_listener(announce, "after_server_start")
    app.run(sock=listener, workers=1, access_log=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
