"""The built-in formats: each module here registers one when it is imported, as all are with this package."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
