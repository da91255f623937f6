"""A header rule tried on recorded requests: what it counts, what it shows, and that it cannot go live without."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gateway.configuration.applying import apply_document
from gateway.configuration.building import build_snapshot
from gateway.configuration.document import read_document
from gateway.configuration.document_reader import WrongDocument
from gateway.configuration.exporting import export_document
from gateway.configuration.revisions import revision, roll_back
from gateway.history.header_dry_run import dry_run, examples_of
from gateway.models import ConfigurationRevision, HeaderRecord, HeaderRule, HeaderRuleDryRun, RequestLog
from gateway.policy.header_rules import RuleState
from gateway.recording.records import HeaderChange, RulesApplied, RulesOfDirection
from tests.exchanges import Sample, keep, keep_one

pytestmark = pytest.mark.django_db

BETAS = "context-management-2025-06-27,claude-code-20250219"
PLAIN: dict[str, Any] = {"model": "claude-opus-5-5", "messages": []}
MANAGED = PLAIN | {"context_management": {"edits": []}}


def make(**changes: Any) -> HeaderRule:
    values = {"name": "betas", "header": "anthropic-beta", "action": "block"} | changes
    rule = HeaderRule(**values)
    rule.full_clean()
    rule.save()
    return rule


def with_betas(body: dict[str, Any], betas: str = BETAS, **more: Any) -> Sample:
    return Sample(body, request_headers=[("anthropic-beta", betas), ("x-app", "cli")], **more)


def counts(run: HeaderRuleDryRun) -> tuple[int, int, int, int]:
    return run.looked_at, run.changed, run.contract, run.broken


def test_it_counts_what_changes_what_touches_the_contract_and_what_breaks() -> None:
    keep([with_betas(PLAIN), with_betas(MANAGED), with_betas(MANAGED), Sample(PLAIN)])
    run = dry_run(make(), 1000, "ada")
    assert counts(run) == (4, 3, 3, 2)
    assert str(run) == "of 4 requests 3 change, 3 touch anthropic-*, 2 break a header and body pair"
    other = dry_run(make(name="app", header="x-app", action="set", value="vscode"), 1000, "ada")
    assert counts(other) == (4, 4, 0, 0)


def test_only_the_newest_are_looked_at_and_no_errands_of_our_own() -> None:
    keep([with_betas(PLAIN)] * 3 + [with_betas(PLAIN, purpose="selftest")])
    assert dry_run(make(), 2, "ada").looked_at == 2
    assert dry_run(HeaderRule.objects.get(), 100, "ada").looked_at == 3


def test_scopes_count() -> None:
    keep([with_betas(PLAIN, team="web"), with_betas(PLAIN, team="search"), with_betas(PLAIN)])
    assert dry_run(make(teams=["web"]), 100, "ada").changed == 1


def test_the_answers_headers_are_tried_for_a_rule_of_theirs() -> None:
    keep_one(Sample(PLAIN, response_headers=[("Server", "cloudflare"), ("content-type", "application/json")]))
    rule = make(header="server", direction="response")
    run = dry_run(rule, 10, "ada")
    assert run.changed == 1
    [example] = examples_of(rule, run, RequestLog.objects.all())
    assert (example.before, example.after) == ({"server": ["cloudflare"]}, {"server": []})


def test_it_is_tried_among_the_live_rules_at_its_place() -> None:
    keep_one(Sample(PLAIN, request_headers=[("x-app", "cli")]))
    first = make(name="first", header="x-app", action="set", value="one", position=1)
    dry_run(first, 10, "ada")
    first.move_to(RuleState.LIVE)
    after = make(name="after", header="x-app", action="replace", find="one", value="two", position=2)
    run = dry_run(after, 10, "ada")
    [example] = examples_of(after, run, RequestLog.objects.all())
    assert (example.before, example.after) == ({"x-app": ["one"]}, {"x-app": ["two"]})
    HeaderRule.objects.filter(pk=after.pk).update(position=0)
    after.refresh_from_db()
    assert dry_run(after, 10, "ada").changed == 0


def test_examples_that_break_something_come_first_and_only_rows_that_may_be_seen() -> None:
    kept = keep([with_betas(MANAGED, team="web"), with_betas(PLAIN), with_betas(PLAIN, team="web")])
    rule = make()
    run = dry_run(rule, 10, "ada")
    found = examples_of(rule, run, RequestLog.objects.all())
    assert found[0].row.id == kept[0]
    assert "context_management" in found[0].broken[0]
    seen = examples_of(rule, run, RequestLog.objects.filter(team="web"))
    assert {difference.row.id for difference in seen} == {kept[0], kept[2]}


def test_live_needs_a_dry_run_and_a_changed_rule_a_new_one() -> None:
    rule = make()
    with pytest.raises(ValueError, match="no dry run"):
        rule.move_to(RuleState.LIVE)
    rule.move_to(RuleState.SHADOW)
    dry_run(rule, 10, "ada")
    rule.move_to(RuleState.LIVE)
    rule.note, rule.position, rule.name = "another note", 7, "renamed"
    rule.save()
    assert rule.dry_run is not None
    rule.models = ["claude-*"]
    assert rule.dry_run is None


DOCUMENT = """
header_rules:
- {{name: betas, header: anthropic-beta, action: replace, find: claude-code-20250219, value: "", state: {state}}}
"""


def apply(text: str, **options: Any) -> list[str]:
    return apply_document(read_document(text), **options).changes


def test_a_file_puts_a_rule_in_force_only_after_its_dry_run() -> None:
    apply(DOCUMENT.format(state="draft"))
    assert build_snapshot({}).header_rules is None
    with pytest.raises(WrongDocument, match="headerrules dry-run betas"):
        apply(DOCUMENT.format(state="live"))
    dry_run(HeaderRule.objects.get(), 10, "ada")
    assert apply(DOCUMENT.format(state="live")) == ["~ header rule betas (state: draft → live)"]
    rules = build_snapshot({}).header_rules
    assert rules is not None
    assert [entry.name for entry in rules.entries] == ["betas"]


WRONG = {
    "framing": ("header: content-length", "frames the message"),
    "a line break": ('header: x-a, value: "a\\r\\nb: c"', "line breaks"),
    "looking around": ("header: x-a, action: replace, find: '(?=a)', is_pattern: true", "RE2"),
    "no action of ours": ("header: x-a, action: drop", "is not a valid choice"),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG)
def test_a_file_is_told_what_is_wrong(text: str, words: str) -> None:
    given = text if "action" in text else f"{text}, action: set"
    with pytest.raises(WrongDocument, match=words):
        apply(f"header_rules: [{{name: a, {given}}}]")


def test_what_is_exported_is_taken_back() -> None:
    make(name="one", header="x-a", action="set", value="b", teams=["web"], position=3)
    text = export_document()
    assert "value: b" in text
    assert apply(text, prune=True) == []
    assert apply("header_rules: []", prune=True) == ["- header rule one"]


def test_going_back_brings_a_live_rule_back_with_its_dry_run() -> None:
    with revision(author_name="ada"):
        rule = make()
    dry_run(rule, 10, "ada")
    with revision(author_name="ada", note="live"):
        rule.move_to(RuleState.LIVE)
    before = ConfigurationRevision.objects.first()
    assert before is not None
    with revision(author_name="ada"):
        HeaderRule.objects.all().delete()
    roll_back(before.pk, author_name="ada")
    assert HeaderRule.objects.get().state == RuleState.LIVE


def test_the_command_lists_tries_and_puts_in_force() -> None:
    keep([with_betas(MANAGED)])
    make()
    with pytest.raises(CommandError, match="no dry run"):
        run("live", "betas")
    told = run("dry-run", "betas", "--last", "50")
    assert "of 1 requests 1 change, 1 touch anthropic-*, 1 break" in told
    assert "context_management stays in the body" in told
    assert "note: anthropic-beta travels with" in told
    assert run("live", "betas") == "betas is live\n"
    assert "live" in run("list")
    assert run("draft", "betas") == "betas is draft\n"
    with pytest.raises(CommandError, match="no header rule"):
        run("live", "others")
    assert ConfigurationRevision.objects.filter(note="betas: live").count() == 1


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("headerrules", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_the_history_keeps_what_rules_did_and_shows_it() -> None:
    changed = HeaderChange(b"x-app", [b"cli"], [b"vscode"])
    told = RulesApplied(RulesOfDirection([(1, "app")], [changed], [(2, "later")], [changed]), None)
    kept = keep_one(Sample(PLAIN, request_headers=[("x-app", "cli")], rules=told))
    record = HeaderRecord.objects.get(pk=kept)
    assert record.rules == {
        "request": {
            "fired": [[1, "app"]],
            "changes": [["x-app", ["cli"], ["vscode"]]],
            "shadow": [[2, "later"]],
            "would": [["x-app", ["cli"], ["vscode"]]],
        }
    }
    out = io.StringIO()
    call_command("history", "show", str(kept), "--json", stdout=out)
    shown = json.loads(out.getvalue())
    assert shown["header_rules"]["request"]["fired"] == [[1, "app"]]
    assert HeaderRecord.objects.get(pk=keep_one(Sample(PLAIN))).rules is None
