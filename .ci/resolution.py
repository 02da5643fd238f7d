"""What pip would install beside this package: print it, and fail where it is not today's transformers."""

import json
import sys
from pathlib import Path

report = json.loads(Path(sys.argv[1]).read_text("utf-8"))
versions = {one["metadata"]["name"]: one["metadata"]["version"] for one in report["install"]}
print({name: versions[name] for name in ("spacy-bispn", "sentence-transformers", "transformers")})
expected = {"sentence-transformers": 5, "transformers": 5}
for name, least in expected.items():
    if int(versions[name].split(".")[0]) < least:
        sys.exit(f"{name} is {versions[name]}, expected {least} or above: look what holds it back")
