"""Puts a run into the package, as the model that comes with it, in half precision.

emollms train emosmol --data out/aaid --out out/emosmol
python models/pack.py out/emosmol
emollms calibrate --model emosmol --data out/aaid --out models/emosmol/calibration.json
emollms evaluate --model emosmol --data out/aeb --task V-reg,V-oc,EI-reg,EI-oc,E-c --out out/scores

The scores go into `models/emosmol/README.md`, which a test holds the model to.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from emollms.inference.model_names import PACKAGED_MODEL
from emollms.training.manifest import read_run

FOLDER = Path(__file__).parent / "emosmol"
WEIGHTS = "adapter_model.safetensors"
SETTINGS = "adapter_config.json"


def main(run: Path) -> None:
    """Copy what the model needs; the card beside it is written by hand."""
    model = run / "model"
    FOLDER.mkdir(exist_ok=True)
    for name in ("heads.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(model / name, FOLDER / name)
    record = read_run(run)
    names = {record.data.target: "out/aaid", str(run): "out/emosmol"}  # the folders of one machine
    record = record.model_copy(
        update={
            "name": FOLDER.name,
            "command": [names.get(part, part) for part in record.command],
            "data": record.data.model_copy(update={"target": "out/aaid"}),
        }
    )
    record.write(FOLDER)
    settings = json.loads((model / SETTINGS).read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = PACKAGED_MODEL  # a run names the folder of the machine that made it
    (FOLDER / SETTINGS).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    weights = {name: one.to(torch.float16) for name, one in load_file(model / WEIGHTS).items()}
    save_file(weights, FOLDER / WEIGHTS, metadata={"format": "pt"})
    (FOLDER / WEIGHTS).chmod(0o644)
    sizes = [path.stat().st_size for path in FOLDER.iterdir()]
    print(f"{FOLDER}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
