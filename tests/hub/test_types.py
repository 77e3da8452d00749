"""Every config keeps its types, though the card lists the columns once: from a folder, from the Hub, and streamed."""

import json
from pathlib import Path

import pytest
from datasets import ClassLabel, Features

from emollms.dataset.manifest import read_manifest
from emollms.dataset.schema import ROW_SCHEMA
from emollms.tasks import OrdinalTask, get_task
from hub.client import TestHub
from hub.test_publish import push

SCRIPT = """
import json, sys
from datasets import get_dataset_config_names, load_dataset
repo, found = sys.argv[1], {}
for config in get_dataset_config_names(repo):
    for streaming in (False, True):
        rows = load_dataset(repo, config, split="test", streaming=streaming)
        found[f"{config} {streaming}"] = rows.features.to_dict(), [row["label"] for row in rows]
print(json.dumps(found))
"""


@pytest.mark.parametrize("place", ["folder", "hub"])
def test_types_of_every_config(place: str, hub: TestHub, aeb: Path) -> None:
    """The classes of an ordinal task are typed where it is alone; together with others its column is of integers."""
    if place == "hub":
        push(hub, aeb)
    found = json.loads(hub.run(SCRIPT, hub.repo if place == "hub" else aeb).out.splitlines()[-1])
    counts = {count.task: count.rows for count in read_manifest(aeb).counts}
    assert set(found) == {f"{config} {streaming}" for config in ("default", *counts) for streaming in (False, True)}
    for key, (features, labels) in found.items():
        task = None if key.startswith("default") else get_task(key.split()[0])
        expected = dict(Features.from_arrow_schema(ROW_SCHEMA))
        if isinstance(task, OrdinalTask):
            expected["label"] = ClassLabel(names=[task.class_label(number, "E") for number in task.classes])
            assert set(labels) <= set(range(len(task.classes)))
        assert Features.from_dict(features) == Features(expected), key
        assert len(labels) == (counts[task.name] if task else sum(counts.values()))
    assert {type(label) for label in found["default True"][1]} == {int, type(None)}
