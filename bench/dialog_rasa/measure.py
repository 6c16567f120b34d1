"""Train one classifier on the help desk's examples and read sentences with it. Runs in Rasa's Python (3.10).

Standard input: {"config": PATH, "project": PATH, "host": PATH, "texts": [...]}; output, last line:
without "model" {"model": PATH, "train_s": x}; with one {"intents": [...], "parse_ms": [...], "memory_mb": x}
"""

import asyncio
import json
import logging
import os
import sys
import time
from pathlib import Path

os.environ |= {"RASA_TELEMETRY_ENABLED": "false", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def memory_mb():
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


async def parse_all(agent, texts):
    intents, times, seen = [], [], set()
    for text in texts:
        began = time.perf_counter()
        parsed = await agent.parse_message(text)
        # a text that came before may be remembered by a component: only new ones are timed
        if text not in seen:
            times.append((time.perf_counter() - began) * 1e3)
            seen.add(text)
        intents.append(parsed["intent"]["name"])
    return intents, times


def main(job):
    sys.path.insert(0, job["host"])
    sys.path.insert(0, job["project"])
    import house

    house.stand_in_for_tensorflow()
    import rasa.utils.log_utils

    rasa.utils.log_utils.configure_structlog(logging.ERROR)
    if "model" not in job:
        import rasa.model_training

        began = time.perf_counter()
        made = rasa.model_training.train_nlu(job["config"], job["project"] + "/data/nlu.yml", job["output"])
        return {"model": made, "train_s": time.perf_counter() - began}
    from rasa.core.agent import Agent

    agent = Agent.load(job["model"])
    asyncio.run(parse_all(agent, ["what is a warm up", "it takes the first read"]))
    intents, times = asyncio.run(parse_all(agent, job["texts"]))
    return {"intents": intents, "parse_ms": times, "memory_mb": memory_mb()}


if __name__ == "__main__":
    result = main(json.load(sys.stdin))
    sys.stdout.write("\n" + json.dumps(result) + "\n")
