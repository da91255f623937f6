"""Header rules: their order and state, the form of one, and the page on which it is tried and put in force."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from gateway.admin.theme import ModelForm, TextWidget
from gateway.admin.versioned import VersionedAdmin
from gateway.configuration.revisions import revision
from gateway.configuration.rule_history import bring_back, former_rules
from gateway.history.header_dry_run import dry_run, examples_of
from gateway.history.visibility import visible_to
from gateway.models import HeaderRule
from gateway.policy.header_rules import RuleState

CHOICES = (100, 1_000, 10_000)
"""How many requests a dry run may look at, in the page."""
COLOURS = {RuleState.DRAFT.value: "tl-quiet", RuleState.SHADOW.value: "tl-warn", RuleState.LIVE.value: "tl-good"}


class HeaderRuleForm(ModelForm[HeaderRule]):
    """Blanks count: what is looked for may begin with one, and a value that ends with one is refused in words."""

    find = forms.CharField(
        required=False, strip=False, widget=TextWidget(), help_text=HeaderRule._meta.get_field("find").help_text
    )
    value = forms.CharField(
        required=False, strip=False, widget=TextWidget(), help_text=HeaderRule._meta.get_field("value").help_text
    )

    class Meta:
        model = HeaderRule
        exclude = ("state",)


@admin.register(HeaderRule)
class HeaderRuleAdmin(VersionedAdmin):
    form = HeaderRuleForm
    list_display = ("name", "position", "direction", "does", "scope", "enabled", "standing", "last_dry_run")
    list_display_links = ("name",)
    list_editable = ("position", "enabled")
    list_filter = ("direction", "state", "action", "enabled")
    search_fields = ("name", "header", "note")
    actions = ("copy_as_draft",)
    change_form_before_template = "admin/gateway/headerrule/before_form.html"
    fieldsets = (
        (None, {"fields": (("name", "direction", "position"), ("header", "action"), ("enabled", "note"))}),
        (
            "What it does",
            {
                "description": "Block takes every value away. Set leaves one value. Replace changes a part of each.",
                "fields": ("value", ("find", "is_pattern"), "danger"),
            },
        ),
        (
            "For whom",
            {"description": "All must hold; empty: everybody.", "fields": (("providers", "teams"), ("keys", "models"))},
        ),
    )

    @admin.display(description="Does")
    def does(self, rule: HeaderRule) -> str:
        what = {"block": "", "set": f" to {rule.value}", "replace": f": {rule.find} → {rule.value or 'nothing'}"}
        return f"{rule.action} {rule.header}{what[rule.action]}"[:120]

    @admin.display(description="Only for")
    def scope(self, rule: HeaderRule) -> str:
        return ", ".join([*rule.providers, *rule.teams, *rule.keys, *rule.models]) or "all"

    @admin.display(description="State", ordering="state")
    def standing(self, rule: HeaderRule) -> str:
        return format_html('<span class="tl-badge {}">{}</span>', COLOURS[rule.state], rule.state)

    @admin.display(description="Dry run")
    def last_dry_run(self, rule: HeaderRule) -> str:
        address = reverse("admin:gateway_headerrule_dry_run", args=[rule.pk])
        return format_html('<a href="{}">{}</a>', address, rule.dry_run or "make one")

    @admin.action(description="Copy as a draft, to be changed without a gap")
    def copy_as_draft(self, request: HttpRequest, queryset: QuerySet[HeaderRule]) -> None:
        for rule in queryset:
            rule.pk, rule.state = None, RuleState.DRAFT.value
            rule.name = free_name(rule.name)
            rule.save()
            self.message_user(request, f"{rule.name} is a draft.")

    def save_model(self, request: HttpRequest, obj: HeaderRule, form: ModelForm[HeaderRule], change: bool) -> None:
        before = HeaderRule.objects.filter(pk=obj.pk).first() if change else None
        if before is not None and before.state != RuleState.DRAFT and before.digest != obj.digest:
            obj.state = RuleState.DRAFT.value
            said = f"{obj.name} was {before.state} and is a draft now: what it does has changed. Make a dry run."
            self.message_user(request, said, messages.WARNING)
        super().save_model(request, obj, form, change)
        for warning in obj.warnings:
            self.message_user(request, warning, messages.WARNING)

    def response_add(self, request: HttpRequest, obj: HeaderRule, post_url_continue: str | None = None) -> HttpResponse:
        """On to its dry run, which it needs."""
        if "_addanother" in request.POST or "_continue" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        return HttpResponseRedirect(reverse("admin:gateway_headerrule_dry_run", args=[obj.pk]))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.dry_run_view)
        return [path("<int:pk>/dry-run/", view, name="gateway_headerrule_dry_run"), *super().get_urls()]

    def dry_run_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule = HeaderRule.objects.filter(pk=pk).first()
        if rule is None:
            raise Http404("There is no such header rule.")
        if not self.has_change_permission(request, rule):
            raise PermissionDenied
        if request.method == "POST":
            self.act(request, rule)
            return HttpResponseRedirect(request.path)
        request.current_app = self.admin_site.name
        shell = self.admin_site.each_context(request)
        context = {**shell, "opts": self.opts, "title": f"Dry run of {rule.name}", **page_of(rule, request.user)}
        return TemplateResponse(request, "admin/gateway/headerrule/dry_run.html", context)

    def act(self, request: HttpRequest, rule: HeaderRule) -> None:
        wanted = request.POST.get("do", "")
        name = request.user.get_username()
        try:
            if wanted == "dry-run":
                dry_run(rule, chosen(request.POST.get("last", "")), name)
            elif wanted == "back":
                with revision(request.user, note=f"header rule {rule.name}: back to version {request.POST['version']}"):
                    bring_back(rule.name, int(request.POST["version"]))
                self.message_user(request, f"{rule.name} is what it was in version {request.POST['version']}.")
            else:
                with revision(request.user, note=f"header rule {rule.name}: {wanted}"):
                    rule.move_to(RuleState(wanted))
                self.message_user(request, f"{rule.name} is {wanted}.")
        except (ValueError, KeyError) as error:
            self.message_user(request, f"Nothing was changed: {error}", messages.ERROR)


def page_of(rule: HeaderRule, user: Any) -> dict[str, Any]:
    run = rule.dry_run
    return {
        "rule": rule,
        "run": run,
        "colour": COLOURS[rule.state],
        "warnings": rule.warnings,
        "examples": examples_of(rule, run, visible_to(user).listed()) if run is not None else [],
        "choices": CHOICES,
        "former": former_rules(rule.name)[1:],
    }


def chosen(text: str) -> int:
    if text not in map(str, CHOICES):
        raise ValueError(f"a dry run looks at {', '.join(map(str, CHOICES))} requests")
    return int(text)


def free_name(name: str) -> str:
    taken = set(HeaderRule.objects.values_list("name", flat=True))
    return next(new for number in range(2, 10_000) if (new := f"{name[:58]}-{number}") not in taken)
