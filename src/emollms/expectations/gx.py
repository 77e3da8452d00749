"""Imports great_expectations without PySpark; whatever imports a part of GX imports this first.

GX imports PySpark wherever it is installed, which nothing here needs: it takes a second, complains on stderr, and, in
a process without a main file (`python -c`, the workers of pytest-xdist), PySpark's connect module ends the process,
taking it for a run of its doctests.
"""

import os
import sys

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
_hidden = sys.modules.get("pyspark")
sys.modules["pyspark"] = None  # type: ignore[assignment] # Python's own way to make an import fail
try:
    import great_expectations as great_expectations
finally:
    del sys.modules["pyspark"]
    if _hidden is not None:
        sys.modules["pyspark"] = _hidden
