"""Tasks of a data set on the Hub, put into one table as its card says."""

import re
from pathlib import Path

from hub.client import TestHub
from hub.test_publish import push

SCRIPT = """
import sys
repo = sys.argv[1]
from datasets import load_dataset
{code}
print(sorted(set(table["task"])), table.num_rows == sum(map(len, parts)))
plain = [load_dataset(repo, name, split="test") for name in ("EI-reg", "E-c")]
print(concatenate_datasets(plain).num_rows == sum(map(len, plain)))
"""


def test_tasks_from_the_hub_become_one_table_as_the_card_says(hub: TestHub, aeb: Path) -> None:
    push(hub, aeb, "--version", "1.0.0")
    card = (aeb / "README.md").read_text(encoding="utf-8")
    (code,) = (one for one in re.findall(r"```python\n(.*?)```", card, re.DOTALL) if "concatenate_datasets" in one)
    done = hub.run(SCRIPT.format(code=code), hub.repo)
    assert done.out.splitlines()[-2:] == ["['EI-oc', 'V-oc'] True", "True"]
