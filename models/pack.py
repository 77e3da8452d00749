"""Puts a run into the package, as the model that comes with it, in half precision.

emollms train emosmol --data out/aaid --out out/emosmol
python models/pack.py out/emosmol
emollms calibrate --model emosmol --data out/aaid --out models/emosmol/calibration.json
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from emollms.inference.model_names import PACKAGED_MODEL

FOLDER = Path(__file__).parent / "emosmol"
WEIGHTS = "adapter_model.safetensors"
SETTINGS = "adapter_config.json"


def main(run: Path) -> None:
    """Copy what the model needs; the card beside it is written by hand."""
    model = run / "model"
    FOLDER.mkdir(exist_ok=True)
    for name in ("heads.json", "tokenizer.json", "tokenizer_config.json", "run.json"):
        shutil.copy(model / name, FOLDER / name)
    settings = json.loads((model / SETTINGS).read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = PACKAGED_MODEL  # a run names the folder of the machine that made it
    (FOLDER / SETTINGS).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    weights = {name: one.to(torch.float16) for name, one in load_file(model / WEIGHTS).items()}
    save_file(weights, FOLDER / WEIGHTS, metadata={"format": "pt"})
    sizes = [path.stat().st_size for path in FOLDER.iterdir()]
    print(f"{FOLDER}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
