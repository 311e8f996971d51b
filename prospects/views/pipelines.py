"""Deals and customers: their lists, and the page on which a person moves a prospect and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from prospects.models import Customer, CustomerStage, Deal, DealStage, Prospect
from prospects.reading.pipelines import cards_of, customers_of, deals_of
from prospects.services.moving import by_person, deals
from prospects.services.moving.ledger import Word
from salesops.access import ClientRequest, holds_any, require_role
from salesops.errors import Refusal
from salesops.paging import keyset_page
from salesops.partials import render_page

PAGE_SIZE = 50
LATEST = ("-stage_since", "-id")


class MoveForm(forms.Form):
    """Where to, why, and what a deal is worth by now."""

    to = forms.SlugField(max_length=24, error_messages={"required": "Choose where it goes."})
    reason = forms.CharField(max_length=500, required=False)
    amount = forms.DecimalField(max_digits=12, decimal_places=2, min_value=0, required=False)


class DealForm(forms.Form):
    """What a deal is called and worth."""

    name = forms.CharField(max_length=160, required=False)
    amount = forms.DecimalField(
        max_digits=12, decimal_places=2, min_value=0,
        error_messages={"required": "Say what the deal is worth.", "invalid": "Write it in figures, such as 12000."},
    )  # fmt: skip


@require_GET
@require_role()
def deal_list(request: ClientRequest) -> HttpResponse:
    """Deals, the one that moved last first."""
    return _list(request, deals_of, DealStage, "deals")


@require_GET
@require_role()
def customer_list(request: ClientRequest) -> HttpResponse:
    """Customers, the one that moved last first."""
    return _list(request, customers_of, CustomerStage, "customers")


def _list(request: ClientRequest, find: Callable[..., Any], stages: Any, tab: str) -> HttpResponse:
    stage = request.GET.get("stage", "")
    stage = stage if stage in stages.values else ""
    page = keyset_page(find(request.client, stage), keys=LATEST, request=request, size=PAGE_SIZE)
    context = {"page": page, "stage": stage, "stages": stages.choices, "tab": tab}
    return render_page(request, "prospects/deals.html", context, partial="rows")


@require_GET
@require_role()
def pipelines(request: ClientRequest, pk: int) -> HttpResponse:
    """Where a prospect, its deals and its customers stand, and where they may go next."""
    rows = Prospect.objects.for_client(request.client).select_related("company", "contact", "playbook")
    prospect = get_object_or_404(rows, pk=pk)
    context = {"prospect": prospect, "cards": cards_of(prospect), "may_move": may_move(request)}
    return render_page(request, "prospects/pipelines.html", context, partial="pipelines")


def may_move(request: ClientRequest) -> bool:
    """Whether this person moves things."""
    return holds_any(request, deals.MOVERS)


@require_POST
@require_role(*deals.MOVERS)
def move_prospect(request: ClientRequest, pk: int) -> HttpResponse:
    """Move a prospect to a stage."""
    get_object_or_404(Prospect.objects.for_client(request.client), pk=pk)

    def act(to: str, word: Word, _: Any) -> None:
        by_person.move_prospect(pk, to, client=request.client, word=word)

    return _moved(request, pk, act)


@require_POST
@require_role(*deals.MOVERS)
def move_deal(request: ClientRequest, pk: int) -> HttpResponse:
    """Move a deal to a stage, at an amount."""
    deal = get_object_or_404(Deal.objects.for_client(request.client).select_related("prospect"), pk=pk)

    def act(to: str, word: Word, amount: Any) -> None:
        deals.move_deal(pk, to, client=request.client, word=word, amount=amount)

    return _moved(request, _page_of(deal), act)


@require_POST
@require_role(*deals.MOVERS)
def move_customer(request: ClientRequest, pk: int) -> HttpResponse:
    """Move a customer to a stage."""
    customer = get_object_or_404(Customer.objects.for_client(request.client).select_related("prospect"), pk=pk)

    def act(to: str, word: Word, _: Any) -> None:
        deals.move_customer(pk, to, client=request.client, word=word)

    return _moved(request, _page_of(customer), act)


def _page_of(row: Deal | Customer) -> int:
    """The prospect on whose page it stands: the one its own is read as."""
    return row.prospect.merged_into_id or row.prospect_id


@require_POST
@require_role(*deals.MOVERS)
def open_deal(request: ClientRequest, pk: int) -> HttpResponse:
    """One more deal for somebody who has converted."""
    get_object_or_404(Prospect.objects.for_client(request.client), pk=pk)
    return _with_deal(
        request, pk, "Opened.",
        lambda name, amount: deals.open_another(
            pk, client=request.client, actor=request.user, word=_word(request, ""), name=name, amount=amount
        ),
    )  # fmt: skip


@require_POST
@require_role(*deals.MOVERS)
def change_deal(request: ClientRequest, pk: int) -> HttpResponse:
    """What an open deal is called and worth."""
    deal = get_object_or_404(Deal.objects.for_client(request.client).select_related("prospect"), pk=pk)
    return _with_deal(
        request, _page_of(deal), "Noted.",
        lambda name, amount: deals.change_deal(
            pk, client=request.client, actor=request.user, name=name, amount=amount
        ),
    )  # fmt: skip


def _word(request: ClientRequest, reason: str) -> Word:
    return Word(at=timezone.now(), actor=request.user, reason=reason)


def _moved(request: ClientRequest, prospect_id: int, act: Callable[[str, Word, Any], None]) -> HttpResponse:
    form = MoveForm(request.POST)
    if not form.is_valid():
        messages.error(request, _first_error(form))
        return _back(prospect_id)
    given = form.cleaned_data
    return _tried(
        request, prospect_id, lambda: act(given["to"], _word(request, given["reason"]), given["amount"]), "Moved."
    )


def _with_deal(request: ClientRequest, prospect_id: int, said: str, act: Callable[[str, Any], Any]) -> HttpResponse:
    form = DealForm(request.POST)
    if not form.is_valid():
        messages.error(request, _first_error(form))
        return _back(prospect_id)
    given = form.cleaned_data
    return _tried(request, prospect_id, lambda: act(given["name"], given["amount"]), said)


def _tried(request: ClientRequest, prospect_id: int, act: Callable[[], Any], said: str) -> HttpResponse:
    try:
        act()
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"{said} It is in the log.")
    return _back(prospect_id)


def _first_error(form: forms.Form) -> str:
    field, errors = next(iter(form.errors.items()))
    return f"{field.capitalize()}: {errors[0]}"


def _back(prospect_id: int) -> HttpResponse:
    return redirect(reverse("prospects:pipelines", args=[prospect_id]))
