"""Which weights a folder holds."""

import hashlib
from pathlib import Path

_KINDS = ("*.safetensors", "*.bin", "*.gguf", "*.json", "*.model", "*.jinja", "*.txt")


def weights_hash(folder: Path) -> str:
    """`sha256:` and a hash over name and content of each file of a model, in the order of the names."""
    total = hashlib.sha256()
    for path in sorted({path for kind in _KINDS for path in folder.glob(kind)}):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{path.name} {digest}\n".encode())
    return f"sha256:{total.hexdigest()}"
