"""Settings: frozen, typed, strict; the only reader of settings files.

load      layers: defaults < file or mapping < flags and keywords
check     every key against its table; all problems at once (check_fields: what records are made of)
values    readers of single values
model     the frozen structs that the stages get (fields: what records are made of)
cores     what this machine, or container, allows
"""

from scraper.settings.cores import usable_cores
from scraper.settings.fields import FORMS, Container, FieldSettings, FollowSettings, SetSettings
from scraper.settings.load import load, parse_assignment
from scraper.settings.model import (
    SECRET,
    FetchSettings,
    HostSettings,
    OutputSettings,
    ParseSettings,
    Places,
    PolitenessSettings,
    Settings,
    fingerprint,
)

__all__ = [
    "FORMS",
    "SECRET",
    "Container",
    "FetchSettings",
    "FieldSettings",
    "FollowSettings",
    "HostSettings",
    "OutputSettings",
    "ParseSettings",
    "Places",
    "PolitenessSettings",
    "SetSettings",
    "Settings",
    "fingerprint",
    "load",
    "parse_assignment",
    "usable_cores",
]
