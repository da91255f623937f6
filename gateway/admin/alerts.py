"""Alerts in the admin: what is watched, who is told, whether it works, and what was told."""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html

from gateway.admin.breakers import SeenOnly
from gateway.admin.theme import ModelForm, PasswordWidget
from gateway.admin.versioned import VersionedAdmin
from gateway.alerting.evaluating import try_rule
from gateway.announcing.announce import wants
from gateway.announcing.sending import try_channel
from gateway.configuration.channels import check_address, set_address
from gateway.configuration.sealing import seal
from gateway.models import AlertChannel, AlertRule, Announcement, Delivery
from gateway.models.alerts import Kind

COLOURS = {"info": "tl-quiet", "warning": "tl-warn", "critical": "tl-bad"}
DELIVERED = {"sent": "tl-good", "waiting": "tl-warn", "failed": "tl-bad"}
MUTES = {"mute_hour": 1, "mute_day": 24, "mute_week": 7 * 24}
KEPT = "Kept encrypted and never shown. Empty keeps the present one."


def badge(colour: str, text: str) -> str:
    return format_html('<span class="tl-badge {}">{}</span>', colour, text)


class AlertChannelForm(ModelForm[AlertChannel]):
    address = forms.CharField(
        required=False,
        strip=True,
        widget=PasswordWidget(attrs={"autocomplete": "off"}),
        help_text=f"Webhook and Slack: where it is posted to, by https if you can. {KEPT}",
    )
    secret = forms.CharField(
        required=False,
        strip=True,
        widget=PasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=f"Webhook: the key it is signed with. Mail: the password of the user. {KEPT}",
    )

    class Meta:
        model = AlertChannel
        exclude = ()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        address = cleaned.get("address")
        if address:
            try:
                check_address(address)
            except ValueError as error:
                self.add_error("address", str(error))
        elif cleaned.get("way") != AlertChannel.Way.MAIL and not self.instance.address_ciphertext:
            self.add_error("address", "A webhook needs its address.")
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        if self.cleaned_data.get("address"):
            set_address(self.instance, self.cleaned_data["address"])
        if self.cleaned_data.get("secret"):
            self.instance.secret_ciphertext = seal(self.cleaned_data["secret"])


@admin.register(AlertChannel)
class AlertChannelAdmin(VersionedAdmin):
    form = AlertChannelForm
    list_display = ("name", "way", "where", "minimum_severity", "only", "last", "enabled")
    list_filter = ("way", "enabled")
    search_fields = ("name", "note")
    actions = ("send_test",)
    change_form_before_template = "admin/gateway/alertchannel/before_form.html"
    readonly_fields = ("where", "has_secret")
    fieldsets = (
        (
            None,
            {
                "description": "Where people are told of alerts, of budgets, and of what is found in stored text.",
                "fields": (("name", "way"), ("enabled", "note")),
            },
        ),
        (
            "Webhook and Slack",
            {
                "description": "One POST for each message, to public addresses and to the hosts of "
                "TURNLOG_UPSTREAM_ALLOW_HOSTS; redirects are not followed. A webhook with a secret is signed as "
                "Standard Webhooks has it; Idempotency-Key is the same however often a message is sent.",
                "fields": (("address", "where"), ("secret", "has_secret")),
            },
        ),
        (
            "Mail",
            {
                "description": "The password of the user is the secret above.",
                "fields": (("smtp_host", "smtp_port", "smtp_security"), ("smtp_user", "sender"), "recipients"),
            },
        ),
        (
            "What is told here",
            {"description": "All must hold.", "fields": ("minimum_severity", ("kinds", "teams"))},
        ),
    )

    @admin.display(description="Where")
    def where(self, channel: AlertChannel) -> str:
        if channel.way == AlertChannel.Way.MAIL:
            return ", ".join(channel.recipients[:3]) + (", …" if len(channel.recipients) > 3 else "")
        return channel.address_hint or "no address yet"

    @admin.display(description="Secret at present")
    def has_secret(self, channel: AlertChannel) -> str:
        return "one is set" if channel.secret_ciphertext else "none"

    @admin.display(description="Only")
    def only(self, channel: AlertChannel) -> str:
        return ", ".join([*channel.kinds, *channel.teams]) or "everything"

    @admin.display(description="Last message")
    def last(self, channel: AlertChannel) -> Any:
        delivery = channel.deliveries.first()
        return badge(DELIVERED[delivery.state], delivery.state) if delivery else "none yet"

    @admin.action(description="Send a test message", permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[AlertChannel]) -> None:
        for channel in queryset:
            tell_result(self, request, channel)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.test_view)
        return [path("<int:pk>/test/", view, name="gateway_alertchannel_test"), *super().get_urls()]

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        channel = found(self, request, AlertChannel, pk)
        if request.method == "POST":
            tell_result(self, request, channel)
            return HttpResponseRedirect(request.path)
        deliveries = channel.deliveries.select_related("announcement")[:20]
        context = {"channel": channel, "where": self.where(channel), "deliveries": deliveries}
        return shown(self, request, f"Test of {channel.name}", "alertchannel/test.html", context)


@admin.register(AlertRule)
class AlertRuleAdmin(VersionedAdmin):
    list_display = ("name", "condition_line", "about", "severity_badge", "opened", "muted", "enabled")
    list_filter = ("metric", "severity", "enabled")
    search_fields = ("name", "note")
    actions = (*MUTES, "unmute", "switch_on", "switch_off")
    change_form_before_template = "admin/gateway/alertrule/before_form.html"
    fieldsets = (
        (None, {"fields": (("name", "severity"), ("enabled", "note"), "muted_until")}),
        (
            "When",
            {
                "description": "Looked at every ten seconds. What a metric counts or holds for is told on the test "
                "page, together with what it says now.",
                "fields": ("metric", ("operator", "threshold", "window"), ("per", "minimum")),
            },
        ),
        (
            "Only for",
            {
                "description": "Names or patterns. A metric takes those it tells apart.",
                "fields": (("providers", "models", "teams"),),
            },
        ),
        ("Who is told", {"fields": (("cooldown", "channels"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertRule]:
        open_now = Count("alerts", filter=Q(alerts__state="open"))
        rules: QuerySet[AlertRule] = super().get_queryset(request)
        return rules.annotate(open_now=open_now)

    @admin.display(description="When")
    def condition_line(self, rule: AlertRule) -> str:
        return rule.condition

    @admin.display(description="Only for")
    def about(self, rule: AlertRule) -> str:
        return ", ".join([*rule.providers, *rule.models, *rule.teams]) or rule.get_per_display()

    @admin.display(description="Severity", ordering="severity")
    def severity_badge(self, rule: AlertRule) -> str:
        return badge(COLOURS[rule.severity], rule.severity)

    @admin.display(description="Open now", ordering="open_now")
    def opened(self, rule: Any) -> Any:
        if not rule.open_now:
            return "none"
        return format_html('<a href="/d/alerts/?rule={}">{}</a>', rule.name, rule.open_now)

    @admin.display(description="Muted")
    def muted(self, rule: AlertRule) -> str:
        is_muted = rule.muted_until is not None and rule.muted_until > timezone.now()
        return f"until {rule.muted_until:%Y-%m-%d %H:%M}" if is_muted else "no"

    def mute(self, request: HttpRequest, queryset: QuerySet[AlertRule], hours: int | None) -> None:
        until = timezone.now() + datetime.timedelta(hours=hours) if hours else None
        changed = queryset.model._default_manager.filter(pk__in=queryset.values("pk")).update(muted_until=until)
        self.message_user(request, f"{changed} rules are {f'muted for {hours} h' if hours else 'not muted'}.")

    @admin.action(description="Mute for an hour", permissions=["change"])
    def mute_hour(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> None:
        self.mute(request, queryset, MUTES["mute_hour"])

    @admin.action(description="Mute for a day", permissions=["change"])
    def mute_day(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> None:
        self.mute(request, queryset, MUTES["mute_day"])

    @admin.action(description="Mute for a week", permissions=["change"])
    def mute_week(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> None:
        self.mute(request, queryset, MUTES["mute_week"])

    @admin.action(description="End the mute", permissions=["change"])
    def unmute(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> None:
        self.mute(request, queryset, None)

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> None:
        AlertRule._default_manager.filter(pk__in=queryset.values("pk")).update(enabled=True)

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> None:
        AlertRule._default_manager.filter(pk__in=queryset.values("pk")).update(enabled=False)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.test_view)
        return [path("<int:pk>/test/", view, name="gateway_alertrule_test"), *super().get_urls()]

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule = found(self, request, AlertRule, pk)
        channels = channels_of(rule)
        if request.method == "POST":
            for channel in channels:
                tell_result(self, request, channel, f"A test of the rule {rule.name}", f"{rule.condition}. {rule.note}")
            return HttpResponseRedirect(request.path)
        context = {
            "rule": rule,
            "fact": rule.fact,
            "present": try_rule(rule),
            "channels": channels,
            "colour": COLOURS[rule.severity],
            "alerts": rule.alerts.exclude(state="pending")[:10],
        }
        return shown(self, request, f"Test of {rule.name}", "alertrule/test.html", context)


def channels_of(rule: AlertRule) -> list[AlertChannel]:
    """Those that would be told of an alert of the rule that is about no team."""
    alert = Announcement(kind=Kind.ALERT.value, severity=rule.severity)
    return [row for row in AlertChannel.objects.filter(enabled=True) if wants(row, alert, rule.channels)]


def found(page: VersionedAdmin, request: HttpRequest, model: Any, pk: int) -> Any:
    row = model._default_manager.filter(pk=pk).first()
    if row is None:
        raise Http404("There is none such.")
    if not page.has_change_permission(request, row):
        raise PermissionDenied
    return row


def shown(
    page: VersionedAdmin, request: HttpRequest, title: str, template: str, context: dict[str, Any]
) -> HttpResponse:
    request.current_app = page.admin_site.name
    shell = page.admin_site.each_context(request)
    return TemplateResponse(
        request, f"admin/gateway/{template}", {**shell, "opts": page.opts, "title": title, **context}
    )


def tell_result(page: VersionedAdmin, request: HttpRequest, channel: AlertChannel, *said: str) -> None:
    problem = try_channel(channel, *said)
    if problem:
        page.message_user(request, f"{channel.name}: not delivered: {problem}", messages.ERROR)
    else:
        page.message_user(request, f"{channel.name}: delivered.", messages.SUCCESS)


@admin.register(Announcement)
class AnnouncementAdmin(SeenOnly):
    """What people were told, and by which channels; alerts themselves are on their page."""

    list_display = ("made_at", "title", "kind", "severity_badge", "state", "team", "channels")
    list_filter = ("kind", "severity", "state")
    search_fields = ("title",)
    fields = ("made_at", "title", "text", "kind", "severity", "state", "team", "link", "uid", "channels")
    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Announcement]:
        return super().get_queryset(request).prefetch_related("deliveries__channel")

    @admin.display(description="Severity")
    def severity_badge(self, row: Announcement) -> str:
        return badge(COLOURS[row.severity], row.severity)

    @admin.display(description="Channels")
    def channels(self, row: Announcement) -> str:
        told = [f"{delivery.channel.name}: {delivery.state}" for delivery in row.deliveries.all()]
        return ", ".join(told) or "none wanted it"


@admin.register(Delivery)
class DeliveryAdmin(SeenOnly):
    list_display = ("title", "channel", "state_badge", "attempts", "tried_at", "sent_at", "next_try", "problem")
    list_filter = ("state", "channel")
    list_select_related = ("announcement", "channel")
    actions = ("try_again",)
    show_full_result_count = False
    list_per_page = 50

    @admin.display(description="Message")
    def title(self, row: Delivery) -> str:
        return row.announcement.title

    @admin.display(description="State", ordering="state")
    def state_badge(self, row: Delivery) -> str:
        return badge(DELIVERED[row.state], row.state)

    @admin.display(description="Next try")
    def next_try(self, row: Delivery) -> Any:
        return row.not_before if row.state == Delivery.State.WAITING and row.attempts else "-"

    @admin.action(description="Try again now: what failed or waits", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        unsent = Delivery.objects.filter(pk__in=queryset.values("pk")).exclude(state=Delivery.State.SENT)
        number = unsent.update(state=Delivery.State.WAITING, attempts=0, not_before=timezone.now())
        self.message_user(request, f"{number} are tried within seconds.", messages.SUCCESS)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("gateway.change_alertchannel"))
