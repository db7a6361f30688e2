"""What a page's records are made of, as the settings say it; design §4 lists the forms of a field."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct, field

#: Ways to say where a field's value is; a field has one of them.
FORMS: Final = ("css", "xpath", "jsonld", "microdata", "opengraph", "meta", "json", "table", "article")

#: What trafilatura tells of a page.
ARTICLE: Final = ("text", "markdown", "html", "title", "author", "date")

TYPES: Final = ("text", "raw", "number", "integer", "boolean", "date", "url", "html", "markdown")

_Texts = tuple[str, ...]


class Container(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where records are, or a field's inner fields: all matches of the first selector that has any.

    Attributes:
        css, xpath: selectors.
        json: paths into a JSON response; a list there stands for its items.
    """

    css: _Texts = ()
    xpath: _Texts = ()
    json: _Texts = ()


class FieldSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One field of a record: the first of its selectors or paths that matches gives its value.

    Attributes:
        css, xpath: selectors.
        jsonld, microdata, opengraph, meta: paths into what a page says of itself to machines.
        json: paths into a JSON response, or into the JSON text of what `css` or `xpath` found.
        table: CSS selectors of a table, whose rows become mappings.
        article: what trafilatura finds of a page: one of `ARTICLE`.
        each, fields: a list of inner records, one for each match of a container; without `each`, one inner record, of
            what `css`, `xpath` or `json` found, or of the node at hand.
        attr: an attribute instead of an element's text.
        all: a list of all matches.
        exists, count: whether there is a match; how many there are.
        type: one of `TYPES`; None means text, and leaves values as they are that come from JSON.
        date_order: what 03/04/2026 means: the letters D, M and Y in order. None leaves that to the page's language.
        regex: the value is its first group, or its match.
        required: a page without a value is a failure.
        default: the value where nothing matched.
    """

    css: _Texts = ()
    xpath: _Texts = ()
    jsonld: _Texts = ()
    microdata: _Texts = ()
    opengraph: _Texts = ()
    meta: _Texts = ()
    json: _Texts = ()
    table: _Texts = ()
    article: Literal["text", "markdown", "html", "title", "author", "date"] | None = None
    each: Container | None = None
    fields: dict[str, FieldSettings] | None = None
    attr: str | None = None
    all: bool = False
    exists: bool = False
    count: bool = False
    type: Literal["text", "raw", "number", "integer", "boolean", "date", "url", "html", "markdown"] | None = None
    date_order: Literal["DMY", "MDY", "YMD"] | None = None
    required: bool = False
    regex: str | None = None
    default: Any = None

    @property
    def form(self) -> str | None:
        """The one of `FORMS` that says where the value is; with two, the one that finds nodes."""
        return next((form for form in FORMS if getattr(self, form)), None)


class FollowSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Links that add pages to the run.

    Attributes:
        css, xpath: what the links are; all matches of the first selector that has any.
        json: paths to URLs in a JSON response.
        attr: the attribute that holds the URL.
        fields: name of the set that describes those pages; None means the set of the page they are on.
        limit: pages that this rule may add to the run; None means any number.
        depth: links that may lead from a page of the list to those pages; None means any number.
        hosts: other hosts that links may lead to: names, ``*.example.com`` for all below one, ``*`` for all.
    """

    css: _Texts = ()
    xpath: _Texts = ()
    json: _Texts = ()
    attr: str = "href"
    fields: str | None = None
    limit: int | None = None
    depth: int | None = None
    hosts: _Texts = ()


class SetSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole description of a page's records.

    Attributes:
        records: one record for each of its matches; None makes one record a page.
        page: fields whose values are the same for all records of a page.
        fields: fields of a record; None means the default fields.
        follow: links that add pages to the run.
    """

    records: Container | None = None
    page: dict[str, FieldSettings] = field(default_factory=dict)
    fields: dict[str, FieldSettings] | None = None
    follow: tuple[FollowSettings, ...] = ()

    @property
    def gives_records(self) -> bool:
        """Whether its pages give records: those that only lead to others do not."""
        says_nothing = self.fields is None and self.records is None and not self.page
        return not (says_nothing and any(rule.fields is not None for rule in self.follow))

    @property
    def reads_json(self) -> bool:
        """Whether some of it is to be found in JSON responses."""
        inside = bool(self.records and self.records.json) or any(rule.json for rule in self.follow)
        return inside or any(map(_reads_json, [*self.page.values(), *(self.fields or {}).values()]))


def _reads_json(settings: FieldSettings) -> bool:
    if settings.json and not settings.css and not settings.xpath:
        return True
    if settings.each is not None and settings.each.json:
        return True
    return any(map(_reads_json, (settings.fields or {}).values()))
