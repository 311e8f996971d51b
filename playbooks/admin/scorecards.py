"""Taking a stock scorecard over into a draft, from the draft's own page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern

from playbooks.models import Criterion, PlaybookVersion
from playbooks.rules.scorecards import stock_cards
from playbooks.services.scorecards import add_stock_scorecard
from salesops.admin_site import TenantAdmin, admin_user
from salesops.errors import Refusal

if TYPE_CHECKING:
    _Base = TenantAdmin
else:
    _Base = object


class StockScorecards(_Base):
    """Mixin for the admin of versions: a page that lists the stock scorecards and adds the one chosen."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.scorecards_view)
        page = path("<int:version_id>/scorecards/", view, name="playbooks_playbookversion_scorecards")
        return [page, *super().get_urls()]

    def scorecards_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """GET lists, POST adds; a refusal comes back to the list with its reason."""
        rows = self.get_queryset(request).select_related("playbook__client")
        version: PlaybookVersion = get_object_or_404(rows, pk=version_id)
        if request.method == "POST":
            return self._add(request, version)
        there = set(Criterion.objects.filter(version=version).values_list("scorecard", flat=True))
        cards = [{"card": card, "there": card.key in there} for card in stock_cards().values()]
        context: dict[str, Any] = {
            **self.admin_site.each_context(request), "version": version, "cards": cards, "opts": self.opts,
            "title": f"Stock scorecards for {version}", "back": _change(version),
        }  # fmt: skip
        return TemplateResponse(request, "admin/playbooks/scorecards.html", context)

    def _add(self, request: HttpRequest, version: PlaybookVersion) -> HttpResponse:
        name = request.POST.get("scorecard", "")
        try:
            added = add_stock_scorecard(version, name, actor=admin_user(request))
        except Refusal as refusal:
            messages.error(request, refusal.message)
            return HttpResponseRedirect(request.path)
        messages.success(request, f"{added.criteria} criteria were added under {name}.")
        if added.examples:
            words = ", ".join(added.examples)
            messages.warning(request, f"The customer profile says nothing about {words}: examples stand there now.")
        return HttpResponseRedirect(_change(version))


def _change(version: PlaybookVersion) -> str:
    return reverse("admin:playbooks_playbookversion_change", args=[version.pk])
