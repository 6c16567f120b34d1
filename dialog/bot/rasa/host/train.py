"""Train a Rasa project: `python train.py PROJECT OUTPUT_DIRECTORY NAME`. Prints `step ...` lines, then `model PATH`.

Started by `dialog/engines/training.py` in Rasa's own environment. Beside the model go the words that the project's
examples know (`NAME.words`): text without any of them never reaches the classifier.
"""

import logging
import os
import re
import sys
from pathlib import Path

os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import house

house.enter_dialog()
house.stand_in_for_tensorflow()


def _say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class _Steps(logging.Handler):
    """Rasa logs each component as it starts; the log line becomes a progress line."""

    def emit(self, record):
        found = re.search(r"Starting to train component '([^']+)'", record.getMessage())
        if found:
            _say(f"step {found[1].lower()}")


def main(project, output, name):
    _say("step loading rasa")
    import rasa.api
    import rasa.utils.log_utils
    from rasa.shared.importers.importer import TrainingDataImporter

    from dialog.numbers import tokens

    rasa.utils.log_utils.configure_structlog(logging.WARNING)
    hooks = logging.getLogger("rasa.engine.training.hooks")
    hooks.addHandler(_Steps())
    hooks.setLevel(logging.INFO)
    sys.path.insert(0, str(project))
    files = {"domain": str(project / "domain.yml"), "config": str(project / "config.yml")}
    data = str(project / "data")
    result = rasa.api.train(
        **files, training_files=data, output=str(output), force_training=True, fixed_model_name=name
    )
    if result.code or not result.model:
        _say("error Rasa made no model of this project")
        return 1
    nlu = TrainingDataImporter.load_from_config(files["config"], files["domain"], [data]).get_nlu_data()
    words = sorted({word for example in nlu.intent_examples for word in tokens(example.get("text"))})
    (output / f"{name}.words").write_text("\n".join(words) + "\n", encoding="utf-8")
    _say(f"model {result.model}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
