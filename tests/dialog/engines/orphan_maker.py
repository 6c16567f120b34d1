"""A parent that starts Rasa, prints its process id, and waits to be killed."""

import asyncio
import sys
from pathlib import Path

from dialog.engines.rasa_server import RasaServer
from dialog.engines.training import PROJECT, rasa_python


async def main(model: Path, folder: Path) -> None:
    server = RasaServer(PROJECT, model, rasa_python(), customers=str(folder / "base"))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run())
        await server.wait_up()
        sys.stdout.write(f"{server.pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
