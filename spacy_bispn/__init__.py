"""Joint entity and relation extraction for spaCy: the BiSPN component.

Importing this package imports neither torch nor transformers: spaCy asks every installed
package for its entry points whenever a blank pipeline is made.
"""

__version__ = "0.1.0"
