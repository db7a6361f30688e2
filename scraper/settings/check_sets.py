"""Checks sets of fields: the main one, at the top of the settings, and the named ones that links lead to."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

from scraper.settings import values
from scraper.settings.check_fields import Checker, FieldsCheck
from scraper.settings.fields import FieldSettings, FollowSettings, SetSettings
from scraper.settings.values import Reader

FOLLOW: Final[dict[str, Reader]] = {
    "css": values.texts,
    "xpath": values.texts,
    "json": values.paths,
    "attr": values.text,
    "fields": values.nullable(values.text),
    "limit": values.nullable(values.count(0)),
    "depth": values.nullable(values.count(1)),
    "hosts": values.host_patterns,
}
SET: Final[dict[str, Reader]] = dict.fromkeys(("records", "page", "fields", "follow"), values.anything)


class SetsCheck:
    """Reads sets."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._fields = FieldsCheck(checker)

    def of(self, raw: Mapping[Any, Any]) -> tuple[SetSettings, dict[str, SetSettings]]:
        """The main set, and those that have names."""
        names = [name for name, _ in self._checker.items("sets", raw.get("sets"))]
        main = self._set("", {key: raw[key] for key in SET if key in raw}, names)
        sets = {}
        for name, value in raw["sets"].items() if names else ():
            if name in names:
                sets[name] = self._set(f"sets.{name}.", self._checker.keys(f"sets.{name}", value, SET), names)
        return main, sets

    def _set(self, prefix: str, raw: Mapping[str, Any], names: list[str]) -> SetSettings:
        records = self._fields.container(f"{prefix}records", raw.get("records"))
        page = self._fields.fields(f"{prefix}page", raw.get("page"))
        fields = None
        if raw.get("fields") is not None:
            fields = self._fields.fields(f"{prefix}fields", raw["fields"], json=bool(records and records.json))
        if records is not None and records.json and fields is None:
            message = (
                f"{prefix}records are JSON, where the default fields find nothing; name fields, as in {{json: name}}"
            )
            self._checker.add(f"{prefix}records", message)
        for name in page.keys() & (fields or {}).keys():
            self._checker.add(f"{prefix}page.{name}", f"page and fields both have a field {name!r}; rename one of them")
        if names:
            self._refuse_type(prefix, page=page, fields=fields)
        return SetSettings(
            records=records, page=page, fields=fields, follow=self._follow(f"{prefix}follow", raw.get("follow"), names)
        )

    def _refuse_type(self, prefix: str, **sections: dict[str, FieldSettings] | None) -> None:
        for section, found in sections.items():
            if "type" in (found or {}):
                self._checker.add(
                    f"{prefix}{section}.type",
                    "the field name 'type' is reserved where sets have names: every record has it; choose another",
                )

    def _follow(self, path: str, raw: object, names: list[str]) -> tuple[FollowSettings, ...]:
        if raw is None:
            return ()
        if not isinstance(raw, (list, tuple)):
            self._checker.add(path, f"{path} must be a list of rules such as {{css: li.next a}}")
            return ()
        return tuple(self._rule(f"{path}.{index}", each, names) for index, each in enumerate(raw))

    def _rule(self, path: str, raw: object, names: list[str]) -> FollowSettings:
        said = {"css": raw} if isinstance(raw, str) else raw
        rule = FollowSettings(**self._checker.keys(path, said, FOLLOW))
        if said is None or (isinstance(said, Mapping) and len({"css", "xpath", "json"} & said.keys()) != 1):
            self._checker.add(path, f"{path} needs one of css, xpath and json")
        if rule.fields is not None and rule.fields not in names:
            near = difflib.get_close_matches(rule.fields, names, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"describe it: sets: {{{rule.fields}: {{fields: …}}}}"
            message = f"{path}.fields names the set {rule.fields!r}, which is not there; {advice}"
            self._checker.add(f"{path}.fields", message)
        return rule
