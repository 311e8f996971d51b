"""What an outside source is: where it is, how it answers, what it costs and how far it is believed.

A playbook stores sources as plain data; :func:`read_source` turns one into a frozen :class:`SourceConfig` or says,
field by field, what was expected. The admin, the YAML reader and the adapters all ask here. No Django here.

Words in braces in an address or a body are filled in per company (``PLACEHOLDERS``); ``{industry}`` and ``{country}``
are filled from the ideal customer profile when a market is scanned.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic.dataclasses import dataclass

from playbooks.rules.param_reader import ParamsError
from playbooks.rules.spelling import did_you_mean, one_of

Kind = Literal["file", "json", "website", "jobs", "feed", "model"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
#: What may stand in braces: the company's own facts. ``website`` is ``https://`` and its domain, ``label`` the domain's
#: first part (``acme`` of acme.com), ``email`` the address that a verification service is asked about.
PLACEHOLDERS: Final = frozenset(
    {"name", "domain", "label", "website", "country", "region", "city", "industry", "intent", "email"}
)
#: What an address may ask for that is no company's: the market scan's own.
SEED_PLACEHOLDERS: Final = frozenset({"industry", "country", "intent"})
#: The kind of record a market scan takes: a company that may be worth knowing.
CANDIDATE: Final = "candidate"
#: The kind of record in which a verification service says whether an address takes mail: its ``status``.
EMAIL_CHECK: Final = "email_check"
#: Fields of a document that are no facts: its words, its number, its time, its address.
DOCUMENT_FIELDS: Final = frozenset({"text", "value", "observed_at", "ref"})

_BRACES = re.compile(r"\{([^{}]*)\}")
_WORD = re.compile(r"^[a-z][a-z0-9_]{0,59}$")
_PATH = re.compile(r"^[^\s]{1,200}$")
_HEADER = re.compile(r"^[A-Za-z][A-Za-z0-9-]{0,59}$")
_VARIABLE = re.compile(r"^SOURCE_[A-Z0-9_]{1,80}$")
# Headers that decide where a request goes or how it is framed: no playbook sets them.
_OWN_HEADERS = frozenset(
    {
        "host", "connection", "content-length", "content-type", "transfer-encoding", "cookie", "te", "trailer",
        "upgrade", "expect", "accept", "accept-encoding", "user-agent", "proxy-authorization", "keep-alive", "range",
    }
)  # fmt: skip

Days = Annotated[int, Field(ge=1, le=30)]


class Params(BaseModel):
    """What every kind of source may set: ``cache_days`` is how long an answer is used again (at most 30)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cache_days: Days = 30

    @property
    def templates(self) -> Iterable[str]:
        """The texts in which braces are filled."""
        return ()


class FileParams(Params):
    """A CSV or JSON file. ``columns`` says what a column means (``column: field``) where its name does not.

    ``match`` is how a row is recognised as a company's: by its domain, or by its name where one of them has none.
    """

    columns: dict[str, str] = Field(default_factory=dict)
    match: Literal["domain", "name", "domain_or_name"] = "domain_or_name"


class Paging(BaseModel):
    """How the next page is asked for.

    ``page``: a number in ``parameter``, from ``start``. ``cursor``: the text found at ``path`` goes into ``parameter``.
    ``next``: the address found at ``path``, or in the Link header when there is no path. ``last`` pages are read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: Literal["page", "cursor", "next"]
    parameter: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\[\]-]{0,60}$")] = ""
    path: Annotated[str, Field(max_length=200)] = ""
    start: Annotated[int, Field(ge=0, le=1)] = 1
    last: Annotated[int, Field(ge=1, le=1000)] = 20

    @model_validator(mode="after")
    def _complete(self) -> Paging:
        if self.style in ("page", "cursor") and not self.parameter:
            raise ValueError(f"paging by {self.style} needs the name of its parameter")
        if self.style == "cursor" and not self.path:
            raise ValueError("paging by cursor needs the path where the next cursor stands")
        return self


class JsonParams(Params):
    """An HTTP interface that answers in JSON.

    ``items`` is the dotted path of the list of records (or of the one record); empty: the whole answer. ``fields`` maps
    our names to dotted paths inside a record: facts by their import names, and the document's own ``text``, ``value``,
    ``observed_at`` and ``ref``. ``match``: only records whose mapped domain (or name) is the company's count.
    """

    method: Literal["GET", "POST"] = "GET"
    body: dict[str, Any] = Field(default_factory=dict)
    items: Annotated[str, Field(max_length=200)] = ""
    fields: Annotated[dict[str, str], Field(min_length=1, max_length=100)]
    paging: Paging | None = None
    match: Literal["", "domain", "name"] = ""
    max_items: Annotated[int, Field(ge=1, le=10_000)] = 1000

    @field_validator("fields")
    @classmethod
    def _named(cls, fields: dict[str, str]) -> dict[str, str]:
        for name, path in fields.items():
            if not _WORD.match(name):
                raise ValueError(f"“{name}” is no field name: small letters, digits and _")
            if not _PATH.match(path):
                raise ValueError(f"{name}: a path inside the record is expected, such as company.size")
        return fields

    @model_validator(mode="after")
    def _matches(self) -> JsonParams:
        if self.match and self.match not in self.fields:
            raise ValueError(f"matching by {self.match} needs a field named {self.match}")
        return self

    @property
    def templates(self) -> Iterable[str]:
        return _texts(self.body)


class WebsiteParams(Params):
    """A company's own site: its home page and what it links to under these words, at most ``pages`` in all."""

    pages: Annotated[int, Field(ge=1, le=12)] = 5
    links: tuple[str, ...] = ("about", "company", "career", "jobs", "news", "press", "blog")
    max_characters: Annotated[int, Field(ge=500, le=20_000)] = 8_000


class JobsParams(Params):
    """A public job board. ``max_postings`` newest ones are kept."""

    max_postings: Annotated[int, Field(ge=1, le=200)] = 50


class FeedParams(Params):
    """An RSS or Atom feed. ``match``: in a feed that is not the company's own, only what names the company counts."""

    max_items: Annotated[int, Field(ge=1, le=200)] = 30
    max_age_days: Annotated[int, Field(ge=1, le=3650)] = 365
    match: Literal["", "name"] = ""


class ModelParams(Params):
    """A language model that knows companies: ``ask`` says which ones, and names ``max_items`` at most an answer."""

    ask: Annotated[str, Field(min_length=10, max_length=1000)]
    max_items: Annotated[int, Field(ge=1, le=100)] = 20

    @property
    def templates(self) -> Iterable[str]:
        return (getattr(self, "ask", ""),)  # nothing was set where the parameters are wrong


PARAMS: Final[Mapping[str, type[Params]]] = {
    "file": FileParams,
    "json": JsonParams,
    "website": WebsiteParams,
    "jobs": JobsParams,
    "feed": FeedParams,
    "model": ModelParams,
}
#: What a kind of source delivers when its row does not say.
DELIVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "file": ("profile",),
    "json": ("profile",),
    "website": ("page",),
    "jobs": ("job_posting",),
    "feed": ("news",),
    "model": (CANDIDATE,),
}
#: What a language model remembers of a company is a hint: never believed more than this.
MOST_BELIEVED: Final = 0.5
_DEFAULT_URL: Final[Mapping[str, str]] = {"website": "{website}/"}


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def placeholders(template: str) -> frozenset[str]:
    """The words in braces."""
    return frozenset(_BRACES.findall(template))


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SourceConfig:
    """One source of one playbook version.

    ``cost`` is money per answered request, in the playbook's currency. ``weight`` (0–1) is how much a candidate from
    here counts in a market scan, ``confidence`` (0–1) how far a fact from here is believed. ``rate_per_minute`` is the
    limit the source states; we keep to 80 % of it. ``delivers`` are the kinds of document it gives; ``candidate`` makes
    it part of market scans. ``auth_env`` names the environment variable whose value is sent as the header
    ``auth_header``; ``<auth_env>_HOST`` must name the host it may be sent to. ``fallback`` is the source asked instead
    when this one has gone for good. For kind ``file``, ``url`` is a file in the installation's folder of sources.
    """

    key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    kind: Kind
    url: Annotated[str, Field(max_length=500)] = ""
    params: Params
    auth_env: str = ""
    auth_header: str = "Authorization"
    cost: Annotated[Decimal, Field(ge=0, le=1000)] = Decimal(0)
    weight: Annotated[float, Field(ge=0, le=1)] = 1.0
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.8
    rate_per_minute: Annotated[int, Field(ge=1, le=60_000)] = 60
    enabled: bool = True
    delivers: Annotated[tuple[str, ...], Field(min_length=1, max_length=20)]
    fallback: Annotated[str, Field(max_length=40)] = ""

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        unknown = placeholders(url) - PLACEHOLDERS
        if unknown:
            raise ValueError(f"nothing fills {{{sorted(unknown)[0]}}}; known: {', '.join(sorted(PLACEHOLDERS))}")
        if "{" in _BRACES.sub("", url) or "}" in _BRACES.sub("", url):
            raise ValueError("a brace is left open")
        return url

    @field_validator("auth_env")
    @classmethod
    def _variable(cls, name: str) -> str:
        if name and (not _VARIABLE.match(name) or name.endswith("_HOST")):
            raise ValueError("an environment variable whose name starts with SOURCE_ (and does not end in _HOST)")
        return name

    @field_validator("auth_header")
    @classmethod
    def _header(cls, name: str) -> str:
        if not _HEADER.match(name) or name.lower() in _OWN_HEADERS:
            raise ValueError("the name of a header that carries a key, such as Authorization or X-Api-Key")
        return name

    @field_validator("delivers")
    @classmethod
    def _words(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        for kind in kinds:
            if not _WORD.match(kind):
                raise ValueError(f"“{kind}” is no kind of document: small letters, digits and _")
        return kinds

    @model_validator(mode="after")
    def _fits(self) -> SourceConfig:
        if self.fallback and self.fallback == self.key:
            raise ValueError("a source cannot be its own fallback")
        if self.kind == "file":
            if not self.url or self.url.startswith(("/", "\\")) or ".." in self.url or ":" in self.url:
                raise ValueError("a file's name in the folder of sources is expected")
        elif self.kind == "model":
            self._asks_a_model()
        elif not re.match(r"^(https?://|\{website\})", self.url):
            raise ValueError("an address that starts with https:// or http:// is expected")
        unknown = {word for text in self.params.templates for word in placeholders(text)} - PLACEHOLDERS
        if unknown:
            raise ValueError(f"nothing fills {{{sorted(unknown)[0]}}} in the body")
        if CANDIDATE in self.delivers and self.kind not in ("file", "json", "model"):
            raise ValueError("only files, JSON interfaces and language models can deliver candidates")
        asked = placeholders(self.url).union(*map(placeholders, self.params.templates))
        if CANDIDATE in self.delivers and not asked <= SEED_PLACEHOLDERS:
            raise ValueError("a market scan can fill only {industry}, {country} and {intent}")
        return self

    def _asks_a_model(self) -> None:
        if self.url or self.auth_env:
            raise ValueError("a language model has no address and no key of its own: the environment names it")
        if self.delivers != (CANDIDATE,):
            raise ValueError(f"a language model delivers {CANDIDATE} and nothing else")
        if self.cost:
            raise ValueError("a language model's cost is counted by its tokens; leave the cost at 0")
        if self.confidence > MOST_BELIEVED:
            raise ValueError(f"a language model's word is a hint; believe it {MOST_BELIEVED:g} at most")

    @model_validator(mode="after")
    def _checks_addresses(self) -> SourceConfig:
        asked = placeholders(self.url).union(*map(placeholders, self.params.templates))
        checks = EMAIL_CHECK in self.delivers
        if ("email" in asked) != checks:
            raise ValueError(f"{{email}} is filled for a source that delivers {EMAIL_CHECK}, which needs it")
        if checks and (not isinstance(self.params, JsonParams) or "status" not in self.params.fields):
            raise ValueError("a verification service is of kind json and maps the field status")
        return self

    @property
    def per_host(self) -> bool:
        """Whether every company's request goes to another host: limits and brakes then count per host."""
        host = self.url.split("://", 1)[-1].split("/", 1)[0]
        return "{" in host

    @property
    def type(self) -> str:
        """The kind of answer, as the cache knows it."""
        return self.delivers[0]


_CONFIG: Final = TypeAdapter(SourceConfig)


def read_source(raw: Mapping[str, Any]) -> SourceConfig:
    """A row's values as a config. Raises :class:`ParamsError` with (field, what was expected) pairs."""
    kind = str(raw.get("kind", ""))
    if kind not in PARAMS:
        raise ParamsError([("kind", one_of(KINDS, kind))])
    problems: list[tuple[str, str]] = []
    params = PARAMS[kind].model_construct()
    try:
        params = PARAMS[kind].model_validate(raw.get("params") or {})
    except ValidationError as error:
        said = _said(error, PARAMS[kind].model_fields)
        problems += [(f"params.{name}" if name else "params", words) for name, words in said]
    values = {**raw, "params": params}
    values["delivers"] = tuple(values.get("delivers") or DELIVERS[kind])
    values["url"] = values.get("url") or _DEFAULT_URL.get(kind, "")
    try:
        config = _CONFIG.validate_python(values)
    except ValidationError as error:
        raise ParamsError(problems + list(_said(error, SourceConfig.__dataclass_fields__))) from error
    if problems:
        raise ParamsError(problems)
    return config


#: What pydantic finds, by its own word for it, as the end of "expected …". What is not here is said in its own words.
_EXPECTED: Final[Mapping[str, str]] = {
    "greater_than_equal": "a number of at least {ge}", "greater_than": "a number above {gt}",
    "less_than_equal": "a number of at most {le}", "less_than": "a number below {lt}",
    "int_type": "a whole number", "int_parsing": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "float_parsing": "a number", "finite_number": "a number",
    "decimal_type": "a number", "decimal_parsing": "a number",
    "string_type": "text", "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters", "too_long": "at most {max_length} of them",
    "too_short": "at least {min_length} of them", "bool_type": "yes or no", "bool_parsing": "yes or no",
    "list_type": "a list", "tuple_type": "a list", "dict_type": "names with values",
    "literal_error": "one of {expected}", "enum": "one of {expected}",
    "string_pattern_mismatch": "a short name of small letters, figures, - or _",
}  # fmt: skip


def _said(error: ValidationError, known: Collection[str]) -> Iterable[tuple[str, str]]:
    """(field, what was expected there) in the words that everything else of a playbook is refused with."""
    for found in error.errors(include_url=False):
        at, name = ".".join(str(part) for part in found["loc"]), str(found["loc"][-1]) if found["loc"] else ""
        if found["type"] == "missing":
            yield at, "is missing; it is required"
        elif found["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            yield at, f"unknown here; expected one of {', '.join(sorted(known))}{did_you_mean(name, sorted(known))}"
        elif found["type"] in _EXPECTED:
            bounds = {
                name: f"{value:g}" if isinstance(value, float) else value
                for name, value in found.get("ctx", {}).items()
            }
            yield at, f"expected {_EXPECTED[found['type']].format(**bounds)}, got {found['input']!r}"[:200]
        else:
            yield at, str(found["msg"]).removeprefix("Value error, ")
