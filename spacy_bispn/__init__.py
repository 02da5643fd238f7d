"""Joint entity and relation extraction for spaCy: the BiSPN component.

Importing this package imports neither torch nor transformers: spaCy asks every installed
package for its entry points whenever a blank pipeline is made.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def render(doc: Any, *, width: float = 800) -> Any:
    """Draw a Doc's entities and relations in lines of at most `width` pixels.

    Returns a `spacy_bispn.drawing.Drawing`: a notebook shows it, and `str()` gives SVG.

    Raises ValueError if `doc` is no Doc or the width below 100.
    """
    # imported when asked for, by name: spaCy is far above this file
    return import_module("spacy_bispn.drawing").draw(doc, width)
