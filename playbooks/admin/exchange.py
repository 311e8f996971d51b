"""Playbooks as files in the admin: bring one in as a draft, take one out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse

from playbooks.models import Client, PlaybookVersion
from playbooks.queries import document_of
from playbooks.rules.yaml_io import MAX_CHARACTERS, Fault, PlaybookFileError, dump, parse
from playbooks.services import drafts
from salesops.admin_site import admin_clients, admin_user
from salesops.errors import Refusal


class ImportForm(forms.Form):
    """A playbook as text or as a file. ``faults`` lists what is wrong with it, line by line."""

    client = forms.ModelChoiceField(
        Client.objects.none(), required=False, help_text="Empty: the client that the file names."
    )
    file = forms.FileField(required=False, label="File", widget=forms.FileInput(attrs={"accept": ".yaml,.yml"}))
    text = forms.CharField(
        required=False, strip=False, label="or its text",
        widget=forms.Textarea(attrs={"rows": 24, "cols": 100, "spellcheck": "false", "class": "yaml-text"}),
    )  # fmt: skip

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.faults: list[Fault] = []
        clients: Any = self.fields["client"]
        clients.queryset = admin_clients(request)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        text = self._text(given)
        if not self.errors and not text.strip():
            self.add_error("file", "Choose a file, or paste its text below.")
        if self.errors:
            return given
        try:
            given["document"] = parse(text)
        except PlaybookFileError as error:
            self.faults = error.faults
            count = len(error.faults)
            self.add_error(
                None, f"This is not a playbook yet: {count} {'thing is' if count == 1 else 'things are'} wrong."
            )
            return given
        given["owner"] = given.get("client") or self._named(given["document"].client)
        return given

    def _text(self, given: dict[str, Any]) -> str:
        file = given.get("file")
        if file is None:
            return given.get("text") or ""
        if file.size > 4 * MAX_CHARACTERS:
            self.add_error("file", f"Expected at most {MAX_CHARACTERS:,} characters.")
            return ""
        try:
            return str(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            self.add_error("file", "Expected a text file in UTF-8.")
            return ""

    def _named(self, slug: str) -> Client | None:
        found = admin_clients(self.request).filter(slug=slug).first()
        if found is None:
            self.add_error("client", f"You look after no client {slug!r}; choose the client it is for.")
        return found

    def load(self) -> tuple[PlaybookVersion | None, bool]:
        """The new draft, or the newest version when it says the same already (False). Refusals become errors."""
        try:
            return drafts.load_document(
                self.cleaned_data["document"], client=self.cleaned_data["owner"], actor=admin_user(self.request)
            )
        except Refusal as refusal:
            self.add_error(None, refusal.message)
            return None, False


def download(version: PlaybookVersion) -> HttpResponse:
    """The version as the file that ``load_playbook`` reads."""
    response = HttpResponse(dump(document_of(version)), content_type="application/yaml; charset=utf-8")
    name = f"{version.playbook.slug}-v{version.number}.yaml"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
