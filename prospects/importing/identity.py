"""Who is this? The keys by which two rows are recognised as one company or one person.

A domain is reduced to the part somebody registered, an e-mail address to its comparable form, a company's name to the
words that are left when case, accents, punctuation and the legal form are gone.
"""

# ruff: noqa: E501, SIM905 — word tables read better as running text
from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import idna

from prospects.importing.legal_forms import LEADING_FORMS, TRAILING_FORMS

# Hosts on which anybody may have a page: being on one says nothing about who owns it.
SHARED_HOSTS = frozenset(
    "linkedin.com facebook.com fb.com fb.me instagram.com twitter.com x.com youtube.com youtu.be tiktok.com pinterest.com "
    "reddit.com medium.com substack.com github.com gitlab.com bitbucket.org sourceforge.net google.com google.co.uk goo.gl "
    "apple.com microsoft.com notion.so notion.site producthunt.com crunchbase.com angel.co wellfound.com ycombinator.com "
    "techcrunch.com linktr.ee bit.ly t.co tinyurl.com t.me telegram.me wa.me whatsapp.com discord.gg discord.com slack.com "
    "amazon.com ebay.com etsy.com aliexpress.com alibaba.com shopify.com wix.com wordpress.com weebly.com "
    "squarespace.com blogspot.com blogger.com tumblr.com godaddy.com strikingly.com carrd.co webflow.com bubble.io "
    "eventbrite.com meetup.com kickstarter.com indiegogo.com gofundme.com patreon.com upwork.com fiverr.com glassdoor.com "
    "indeed.com yelp.com tripadvisor.com trustpilot.com g2.com capterra.com bloomberg.com forbes.com inc.com "
    "wikipedia.org vimeo.com soundcloud.com spotify.com behance.net dribbble.com calendly.com typeform.com airtable.com "
    "dropbox.com box.com docsend.com archive.org about.me xing.com kununu.com vk.com ok.ru weibo.com zhihu.com naver.com "
    "yahoo.com yahoo.co.jp yellowpages.com mapquest.com bing.com bbb.org dnb.com zoominfo.com apollo.io owler.com "
    "f6s.com gust.com pitchbook.com tracxn.com cbinsights.com startupblink.com vc.ru habr.com devpost.com itch.io "
    "huggingface.co figma.com canva.com loom.com threads.net mastodon.social bsky.app snapchat.com "
    "heroku.com vercel.com netlify.com replit.com steampowered.com justdial.com indiamart.com example.com".split()
)  # fmt: skip
# Mail for everybody: an address there says nothing about an employer.
FREE_MAIL = frozenset(
    "gmail.com googlemail.com yahoo.com yahoo.co.uk yahoo.fr yahoo.de yahoo.co.in yahoo.co.jp yahoo.com.au yahoo.ca "
    "ymail.com rocketmail.com hotmail.com hotmail.co.uk hotmail.fr hotmail.de hotmail.it hotmail.es outlook.com "
    "outlook.de outlook.fr live.com live.co.uk live.fr live.nl msn.com aol.com icloud.com me.com mac.com proton.me "
    "protonmail.com pm.me gmx.de gmx.net gmx.at gmx.ch gmx.com web.de t-online.de freenet.de arcor.de mail.com mail.ru "
    "yandex.ru yandex.com bk.ru inbox.ru list.ru qq.com 163.com 126.com sina.com naver.com daum.net hanmail.net "
    "orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr libero.it virgilio.it tiscali.it alice.it tin.it "
    "btinternet.com sky.com virginmedia.com talktalk.net ntlworld.com blueyonder.co.uk comcast.net verizon.net att.net "
    "sbcglobal.net bellsouth.net cox.net charter.net shaw.ca rogers.com sympatico.ca telus.net bigpond.com "
    "bigpond.net.au optusnet.com.au iinet.net.au xtra.co.nz slingshot.co.nz orcon.net.nz rediffmail.com ziggo.nl "
    "kpnmail.nl planet.nl home.nl skynet.be telenet.be bluewin.ch hispeed.ch telia.com hotmail.se seznam.cz wp.pl o2.pl "
    "onet.pl interia.pl uol.com.br bol.com.br terra.com.br hey.com fastmail.com zoho.com tutanota.com duck.com".split()
)  # fmt: skip


class _Suffixes:
    """The public suffixes (ICANN's and private ones such as ``github.io``), from the copy inside tldextract.

    tldextract answers everything; its general path is slow for a hundred thousand hosts, and the plain rules (no
    wildcards, no exceptions) need two set look-ups, so those are answered here.
    """

    def __init__(self) -> None:
        import tldextract  # brings a whole HTTP client along, which most processes never need

        self._extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)
        rules = self._extract.tlds
        self.plain = frozenset(rule for rule in rules if "*" not in rule and "!" not in rule)
        self.odd = frozenset(rule.lstrip("*!").lstrip(".") for rule in rules if "*" in rule or "!" in rule)

    def registrable(self, host: str) -> str:
        """``shop.acme.co.uk`` → ``acme.co.uk``; empty when the host is a bare suffix or has none that exists."""
        labels = host.split(".")
        if len(labels) < 2 or "" in labels:
            return ""
        found = ""
        for start in range(len(labels)):
            ending = ".".join(labels[start:])
            if ending in self.odd:
                return self._by_odd_rule(host)
            if not found and ending in self.plain:
                found = ".".join(labels[start - 1 :]) if start else "-"
        return "" if found == "-" else found

    def _by_odd_rule(self, host: str) -> str:
        found = self._extract(host)
        return f"{found.domain}.{found.suffix}" if found.domain and found.suffix else ""


@lru_cache(maxsize=1)
def _suffixes() -> _Suffixes:
    return _Suffixes()


_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?(?://)?(?:[^/?#@\s]*@)?([^/?#:\s\\]+)(?::\d*)?(?:[/?#\\](.*))?$", re.I)
_SEPARATORS = re.compile(r"[\s,;|]+")


def _first_address(text: str) -> str:
    """Of ``http:// acme.com, other.com`` the first address, without the marks that cling to it."""
    bare = (
        re.sub(r"(?<=:/)/?\s+(?=\S)|(?<=://)\s+", "/", text.strip()) if ":/" in text and " " in text else text.strip()
    )
    bare = bare.replace(":///", "://")
    first = next((part for part in _SEPARATORS.split(bare) if "." in part), bare)
    return first.strip("<>\"'`()").rstrip(".,;")


_NAME = re.compile(r"^(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)*(?!-)[a-z0-9_-]{1,63}(?<!-)$")
_WWW = re.compile(r"^www\d?\.(?=[^.]+\.)")
_RESERVED = frozenset({"example", "test", "invalid", "localhost"})  # RFC 2606: real in tests and demos, nowhere else


@lru_cache(maxsize=4096)
def host_of(url: str) -> tuple[str, str]:
    """(host in ASCII without ``www.``, path) of a URL, domain or e-mail-like text; empty when it holds no host."""
    found = _HOST.match(_first_address(url))
    if found is None:
        return "", ""
    host, path = found[1].lower().rstrip("."), (found[2] or "").strip("/")
    if not host.isascii():
        try:
            host = idna.encode(unicodedata.normalize("NFC", host), uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return "", ""
    if host.startswith("www"):
        host = _WWW.sub("", host)
    if len(host) > 253 or not _NAME.match(host):
        return "", ""
    return host, path


@lru_cache(maxsize=4096)
def registrable_domain(text: str) -> str:
    """The domain somebody registered, in lower-case ASCII: ``https://www.Acme.co.uk/x`` → ``acme.co.uk``. Empty if none."""
    host, _ = host_of(text)
    if not host:
        return ""
    labels = host.split(".")
    if labels[-1] in _RESERVED and len(labels) > 1:
        return ".".join(labels[-2:])
    return _suffixes().registrable(host)


class OwnDomain(NamedTuple):
    """``domain`` is empty when there is none of its own; ``note`` then says why, if anything was given."""

    domain: str
    note: str = ""


def own_domain(domain: str, website: str, name: str) -> OwnDomain:
    """A company's own domain out of its domain and website columns.

    A page on a shared host (``producthunt.com/posts/…``) is nobody's own domain, unless the host is the company's name.
    """
    unread = ""
    for given in (domain, website):
        if not given:
            continue
        found = registrable_domain(given)
        if not found:
            unread = "not a web address"
            continue
        if found in SHARED_HOSTS and not _named_like(name, found, host_of(website or domain)[1]):
            return OwnDomain("", f"{found} is shared by many companies: not used as this one's domain")
        return OwnDomain(found, "")
    return OwnDomain("", unread)


def _named_like(name: str, domain: str, path: str) -> bool:
    """Whether a shared host is this company's own: ``apollo.io`` for Apollo.io, but not for a page on it."""
    label, bare = domain.split(".")[0], name_key(name).replace(" ", "")
    return (not path and bool(bare) and bare in (label, domain.replace(".", ""))) or bare == label


_EMAIL = re.compile(r"^[^\s@<>()\[\],;:\"\\]{1,64}@([^\s@<>()\[\],;:\"\\]+\.[^\s@<>()\[\],;:\"\\]{2,})$")


@lru_cache(maxsize=4096)
def email_key(text: str) -> str:
    """An address as compared: bare, lower case, its domain in ASCII. Empty when the text is no address.

    Dots and plus signs before the @ stay: only the mail host knows whether they matter.
    """
    bare = text.strip().strip(".,;")
    if found := re.search(r"<([^<>]+)>\s*$", bare):
        bare = found[1].strip()
    bare = re.sub(r"^mailto:", "", bare, flags=re.I).split("?", 1)[0]
    found = _EMAIL.match(bare)
    if found is None or len(bare) > 254:
        return ""
    local, _, host = bare.rpartition("@")
    ascii_host, path = host_of(host)
    if not ascii_host or path or ".." in local or local.startswith(".") or local.endswith("."):
        return ""
    key = f"{unicodedata.normalize('NFC', local).casefold()}@{host.lower() if host.isascii() else ascii_host}"
    return key if len(key) <= 254 else ""  # ASCII spells some letters with several


def employer_domain(email: str) -> str:
    """The registrable domain of a work address; empty for free mail."""
    domain = registrable_domain(email.rpartition("@")[2])
    return "" if domain in FREE_MAIL or domain in SHARED_HOSTS else domain


def fold(text: str) -> str:
    """Lower case without accents: ``Société`` → ``societe``."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text).casefold()
    for letter, spelled in (
        ("ß", "ss"),
        ("ø", "o"),
        ("æ", "ae"),
        ("œ", "oe"),
        ("ł", "l"),
        ("đ", "d"),
        ("ı", "i"),
        ("þ", "th"),
    ):
        folded = folded.replace(letter, spelled)
    return unicodedata.normalize("NFC", "".join(c for c in folded if not unicodedata.combining(c)))


_DOTTED = re.compile(r"\b(?:[^\W\d_]\.\s?){1,}[^\W\d_]?\b\.?")
_APOSTROPHES = str.maketrans("", "", "'’‘`´")
_WORDS = re.compile(r"\w+")
# Written without a space to the name. The longer forms come first, or their endings would be taken for them.
_UNSPACED = re.compile("(株式会社|有限会社|合同会社|주식회사|유한회사|股份有限公司|有限责任公司|有限責任公司|有限公司)")


@lru_cache(maxsize=4096)
def name_key(name: str) -> str:
    """A company's name as compared. ``Société Générale S.A.`` → ``societe generale``. Never empty for a name with
    letters or digits: what consists of legal forms only keeps them.
    """
    text = fold(name).translate(_APOSTROPHES)
    if "(" in text or "/" in text:
        text = re.sub(r"\((?:formerly|fka|ex|previously|dba)\b[^)]*\)|\b(?:d/b/a|f/k/a)\b.*$", " ", text)
    if "." in text:
        text = _DOTTED.sub(lambda found: found[0].replace(".", "").replace(" ", "") + " ", text)
    text = text.replace("&", " and ").replace("+", " and ")
    if not text.isascii():
        text = _UNSPACED.sub(r" \1 ", text.replace("(주)", "주식회사").replace("(株)", "株式会社"))
    if "/" in text:
        text = re.sub(r"\b([a-z])/([a-z])\b", r"\1\2", text)
    words = _WORDS.findall(text.replace("_", " "))
    stripped = _without_forms(words)
    return " ".join(stripped or words)[:300]


def _without_forms(words: list[str]) -> list[str]:
    while len(words) > 1:
        shorter = _drop_trailing(words)
        if shorter is None:
            break
        words = shorter
    for length in (3, 2, 1):
        if len(words) > length and " ".join(words[:length]) in LEADING_FORMS:
            words = words[length:]
            break
    return words[1:] if len(words) > 2 and words[0] == "the" else words


_LAST_WORDS = frozenset(form.rsplit(" ", 1)[-1] for form in TRAILING_FORMS)


def _drop_trailing(words: list[str]) -> list[str] | None:
    if words[-1] not in _LAST_WORDS:
        return None
    for length in (6, 5, 4, 3, 2, 1):
        if len(words) > length and " ".join(words[-length:]) in TRAILING_FORMS:
            kept = words[:-length]
            while len(kept) > 1 and kept[-1] in ("and", "und", "et", "y", "e", "i"):
                kept = kept[:-1]
            return kept
    return None


def person_key(name: str, *facts: str) -> str:
    """Identity of a person known by no e-mail and no id: a hash of name and whatever else was given about them.

    Empty unless there is a name and at least one fact: a name alone is many people.
    """
    folded = " ".join(sorted(_WORDS.findall(fold(name))))
    known = [" ".join(_WORDS.findall(fold(fact))) for fact in facts]
    if not folded or not any(known):
        return ""
    text = "\x1f".join((folded, *known))
    return "person:" + hashlib.sha256(text.encode()).hexdigest()[:20]
