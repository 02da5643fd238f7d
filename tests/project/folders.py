"""Where the project lies; its scripts can be imported once this is."""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "project"
sys.path.insert(0, str(PROJECT / "scripts"))
