"""Settings: frozen, typed, strict; the only reader of settings files.

load      layers: defaults < file or mapping < flags and keywords
check     every key against its table; all problems at once
values    readers of single values
model     the frozen structs that the stages get
cores     what this machine, or container, allows
"""

from scraper.settings.cores import usable_cores
from scraper.settings.load import load, parse_assignment
from scraper.settings.model import (
    SECRET,
    FetchSettings,
    FieldSettings,
    HostSettings,
    OutputSettings,
    ParseSettings,
    Places,
    PolitenessSettings,
    Settings,
    fingerprint,
)

__all__ = [
    "SECRET",
    "FetchSettings",
    "FieldSettings",
    "HostSettings",
    "OutputSettings",
    "ParseSettings",
    "Places",
    "PolitenessSettings",
    "Settings",
    "fingerprint",
    "load",
    "parse_assignment",
    "usable_cores",
]
