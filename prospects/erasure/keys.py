"""Recognising somebody who was erased when they come in again, by keyed hashes of what they were known by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from django.db.models import Q, QuerySet

from playbooks.models import Client
from prospects.importing.identity import email_key, fold, name_key
from prospects.models import Alias, Contact, ErasedKey
from prospects.rules.erasing import plain_keys
from salesops.keyed import keyed_hash, secrets_for

#: Why somebody is turned away: shown to whoever brought them.
TURNED_AWAY: Final = "this person was erased on request and is not taken in again"
_PURPOSE = "erasure"
_ANY = ""  # the source of an id that comes without one


def keys_of_person(contacts: Collection[Contact]) -> Iterator[str]:
    """Hashes of all that this person is recognised by, other names included. One query."""
    aliases = list(Alias.objects.filter(contact__in=[contact.pk for contact in contacts]))
    secret = next(secrets_for(_PURPOSE))
    emails = {contact.email_key or email_key(contact.email) for contact in contacts}
    emails |= {alias.value for alias in aliases if alias.name == Alias.Name.KEY}
    ids = {(contact.source, contact.external_id) for contact in contacts}
    ids |= {(alias.source, alias.value) for alias in aliases if alias.name == Alias.Name.EXTERNAL_ID}
    ids |= {(_ANY, given) for _, given in ids}
    companies = [contact.company for contact in contacts if contact.company is not None]
    homes = {key for company in companies for key in (company.domain, company.name_key)}
    names = {fold(contact.name) for contact in contacts}
    for key in plain_keys(emails=emails, ids=ids, names=names, companies=homes):
        yield keyed_hash(secret, key)


def known_as(client: Client, email: str) -> QuerySet[Contact]:
    """People of a client who go or went by this address."""
    key = email_key(email)
    aliases = Alias.objects.for_client(client).filter(name=Alias.Name.KEY, value=key, contact__isnull=False)
    named = Q(email_key=key) | Q(pk__in=aliases.values("contact"))
    found = Contact.objects.for_client(client).filter(named).select_related("client", "company").order_by("pk")
    return found if key else found.none()


class Newcomers:
    """Of some who come in at one client, those who were erased. Two queries, one where nobody ever was."""

    def __init__(self, client_id: int) -> None:
        self._rows = ErasedKey.objects.filter(client=client_id)
        self._secrets = tuple(secrets_for(_PURPOSE)) if self._rows.exists() else ()

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def erased(self, people: Mapping[int, frozenset[str]]) -> set[int]:
        """Of these rows, each with what its person goes by, those about people who were erased."""
        hashes = {keyed_hash(secret, key): key for keys in people.values() for key in keys for secret in self._secrets}
        found = self._rows.filter(key_hash__in=list(hashes)).values_list("key_hash", flat=True)
        gone = {hashes[key_hash] for key_hash in found}
        return {row for row, keys in people.items() if not gone.isdisjoint(keys)}


def keys_by(
    *, email: str, external_id: str, source: str = _ANY, name: str = "", domain: str = "", company: str = ""
) -> frozenset[str]:
    """What one newcomer goes by. ``email`` as compared; ``company`` is a name as written or as compared."""
    homes = {domain, name_key(company)} if company else {domain}
    return frozenset(plain_keys(emails=[email], ids=[(source, external_id)], names=[fold(name)], companies=homes))
