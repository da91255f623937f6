"""Limits and budgets, where the budgets stand, and who was warned."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode

from gateway.admin.breakers import SeenOnly
from gateway.admin.versioned import VersionedAdmin
from gateway.models import Budget, BudgetEvent, BudgetStanding, Limit
from gateway.policy.limits import WhenUnknown
from gateway.policy.windows import Period, window_at

WARNING, NEARLY, SPENT = 75, 90, 100
MOST_SHOWN = 5
WHOM: tuple[str, Any] = (
    "Whom it is about",
    {
        "description": "The scope says what has a counter of its own: with key each key may use the whole of it, with "
        "everything all share one. Names narrow it to some, models to requests for these models.",
        "fields": ("scope", ("names", "models")),
    },
)


class CountedAdmin(VersionedAdmin):
    search_fields = ("name",)
    actions = ("switch_on", "switch_off")

    @admin.display(description="Counted for each")
    def whom(self, rule: Any) -> str:
        said = [f"{rule.scope} {', '.join(rule.names)}".strip()]
        return ", ".join([*said, *(f"model {name}" for name in rule.models)])

    @admin.display(description="When unknown")
    def unknown(self, rule: Any) -> str:
        return "refuse" if rule.when_unknown == WhenUnknown.REFUSE.value else "allow"

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        queryset.update(enabled=True)

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        queryset.update(enabled=False)


@admin.register(Limit)
class LimitAdmin(CountedAdmin):
    list_display = ("name", "whom", "bounds", "unknown", "enabled")
    list_filter = ("scope", "enabled")
    fieldsets = (
        (None, {"fields": ("name", "enabled")}),
        WHOM,
        (
            "How much",
            {
                "description": "Empty: not limited. A request must have room under every rule that is about it; else "
                "it is answered 429 with Retry-After.",
                "fields": (
                    ("requests_per_second", "requests_per_minute", "burst"),
                    ("tokens_per_minute", "concurrent"),
                ),
            },
        ),
        ("When the count is not known", {"classes": ["collapse"], "fields": ("when_unknown",)}),
    )

    @admin.display(description="Allows")
    def bounds(self, rule: Limit) -> str:
        told = (
            (rule.requests_per_second, "requests/s"),
            (rule.requests_per_minute, "requests/min"),
            (rule.burst, "in a burst"),
            (rule.tokens_per_minute, "tokens/min"),
            (rule.concurrent, "at once"),
        )
        return ", ".join(f"{bound:,g} {what}" for bound, what in told if bound is not None)


@admin.register(Budget)
class BudgetAdmin(CountedAdmin):
    list_display = ("name", "whom", "sums", "period", "standing", "unknown", "enabled")
    list_filter = ("scope", "period", "enabled")
    readonly_fields = ("present_standing",)
    fieldsets = (
        (None, {"fields": ("name", "enabled", "present_standing")}),
        WHOM,
        (
            "How much",
            {
                "description": "What each of them may spend in a period, in money or tokens or both. A request that "
                "finds it spent is answered 429 billing_error: Claude Code stops at once and prints the sentence.",
                "fields": (("usd", "tokens"), ("period", "zone"), "message"),
            },
        ),
        ("What clients are told", {"fields": ("show",)}),
        ("When the count is not known", {"classes": ["collapse"], "fields": ("when_unknown",)}),
    )

    @admin.display(description="Allows")
    def sums(self, rule: Budget) -> str:
        told = [f"${rule.usd:,.2f}"] if rule.usd is not None else []
        return " and ".join(told + ([f"{rule.tokens:,} tokens"] if rule.tokens is not None else []))

    @admin.display(description="Nearest to its end")
    def standing(self, rule: Budget) -> Any:
        rows = present_rows(rule)[:1]
        return gauge(rows[0][1], rows[0][0].subject) if rows else "nothing spent yet"

    @admin.display(description="Present standing")
    def present_standing(self, rule: Budget) -> Any:
        if rule.pk is None:
            return "It begins with what was spent in the present period already."
        rows = present_rows(rule)
        if not rows:
            return "Nothing was spent yet."
        shown = format_html_join(
            "", "<li>{}</li>", ((gauge(share, row.subject, row),) for row, share in rows[:MOST_SHOWN])
        )
        all_of_them = reverse("admin:gateway_budgetstanding_changelist") + "?" + urlencode({"budget": rule.name})
        return format_html(
            '<ul class="tl-budget-list">{}</ul><a class="tl-link" href="{}">All of them</a>', shown, all_of_them
        )


def present_rows(rule: Budget) -> list[tuple[BudgetStanding, float]]:
    """Of the present window with how much of it is spent in percent, the nearest to its end first."""
    try:
        window = window_at(Period(rule.period), rule.zone, timezone.now().timestamp())
    except (ValueError, KeyError):
        return []
    rows = BudgetStanding.objects.filter(budget=rule.name, window_start=datetime.fromtimestamp(window.start, UTC))
    found = [(row, share_of(row, rule)) for row in rows[:1000]]
    return sorted(found, key=lambda each: -each[1])


def share_of(row: BudgetStanding, rule: Budget) -> float:
    shares = [row.usd / rule.usd] if rule.usd else []
    shares += [row.tokens / rule.tokens] if rule.tokens else []
    return 100 * max(shares, default=0.0)


def gauge(share: float, subject: str, row: BudgetStanding | None = None) -> Any:
    """A bar with its figure; what it is of."""
    state = "spent" if share >= SPENT else "nearly" if share >= NEARLY else "warned" if share >= WARNING else "fine"
    told = f"${row.usd:,.2f}, {row.tokens:,.0f} tokens, until {row.window_end:%Y-%m-%d %H:%M} UTC" if row else ""
    return format_html(
        '<span class="tl-budget tl-budget-{}"><meter min="0" max="100" value="{}"></meter> {} % {}</span> {}',
        state,
        f"{min(share, 100):.0f}",
        f"{share:,.0f}",
        subject,
        told,
    )


@admin.register(BudgetStanding)
class BudgetStandingAdmin(SeenOnly):
    """Told by the processes every second or so."""

    list_display = ("budget", "subject", "spent", "money", "counted", "window_start", "window_end", "told_at")
    list_filter = ("budget",)
    search_fields = ("budget", "subject")
    ordering = ("-window_end", "budget", "-usd")

    @admin.display(description="Spent")
    def spent(self, row: BudgetStanding) -> Any:
        rule = Budget.objects.filter(name=row.budget).first()
        return gauge(share_of(row, rule), "") if rule is not None else "the budget is gone"

    @admin.display(description="USD", ordering="usd")
    def money(self, row: BudgetStanding) -> str:
        return f"{row.usd:,.4f}"

    @admin.display(description="Tokens", ordering="tokens")
    def counted(self, row: BudgetStanding) -> str:
        return f"{row.tokens:,.0f}"


@admin.register(BudgetEvent)
class BudgetEventAdmin(SeenOnly):
    list_display = ("at", "budget", "subject", "reached", "told", "window_end", "delivered_at")
    list_filter = ("budget", "threshold")
    search_fields = ("budget", "subject")

    @admin.display(description="Reached", ordering="threshold")
    def reached(self, row: BudgetEvent) -> str:
        return f"{row.threshold} %"

    @admin.display(description="Used")
    def told(self, row: BudgetEvent) -> str:
        return f"{row.used:,.4g} of {row.amount:,g} {row.get_unit_display()}"
