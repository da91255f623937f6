"""Conversations as the objects that commands print and pages show."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gateway.history.conversation.cache import CacheReading
from gateway.history.conversation.calls import Call
from gateway.history.conversation.context import ContextReport, Waste
from gateway.history.conversation.difference import Difference
from gateway.history.conversation.loading import Loaded
from gateway.history.conversation.tool_use import ToolFigures
from gateway.history.conversation.tree import Agent, agents_of
from gateway.history.conversation.turns import Attempt, Turn
from gateway.history.present import timestamp

CALL_KEYS = (
    "requested_model", "model", "status_code", "outcome", "stop_reason", "is_streaming", "error_message",
    "stream_error", "first_byte_ms", "duration_ms", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_tokens", "cache_write_1h_tokens",
)  # fmt: skip


def conversation_object(loaded: Loaded) -> dict[str, Any]:
    """The whole tree. A turn's `id` is that of its first attempt; `parent` names the turn it goes on from."""
    calls = [attempt.call for turn in loaded.turns for attempt in turn.attempts]
    return {
        "session_id": loaded.session_id,
        "client": calls[0].client if calls else None,
        "client_versions": list(dict.fromkeys(call.client_version for call in calls)),
        "started_at": timestamp(calls[0].started_at) if calls else None,
        "turns": len(loaded.turns),
        "requests": len(calls),
        "cost_usd": str(sum((call.cost_usd for call in calls if call.cost_usd is not None), Decimal(0))),
        "requests_without_cost": sum(call.cost_usd is None for call in calls),
        "truncated": loaded.truncated,
        "agents": [agent_object(agent) for agent in agents_of(loaded)],
    }


def agent_object(agent: Agent) -> dict[str, Any]:
    return {
        "agent_id": agent.id,
        "parent_agent_id": agent.parent_id,
        "started_by": str(agent.started_by.first.id) if agent.started_by else None,
        "turns": [turn_object(turn) for turn in agent.turns],
        "agents": [agent_object(child) for child in agent.agents],
    }


def turn_object(turn: Turn) -> dict[str, Any]:
    return {
        "id": str(turn.first.id),
        "number": turn.number,
        "parent": str(turn.parent.first.id) if turn.parent else None,
        "marks": [mark.value for mark in turn.marks],
        "messages": len(turn.first.messages),
        "attempts": [attempt_object(attempt) for attempt in turn.attempts],
    }


def attempt_object(attempt: Attempt) -> dict[str, Any]:
    call = attempt.call
    return {
        "id": str(call.id),
        "started_at": timestamp(call.started_at),
        "why": attempt.why.value,
        "dropped_betas": attempt.dropped,
        **{key: getattr(call, key) for key in CALL_KEYS},
        "cost_usd": None if call.cost_usd is None else str(call.cost_usd),
        "gateway_attempts": list(call.attempts),
    }


def difference_object(difference: Difference) -> dict[str, Any]:
    return {
        "change": difference.change.value,
        "section": difference.section,
        "name": difference.name,
        "before": difference.before,
        "after": difference.after,
        "bytes_before": difference.old.size if difference.old else None,
        "bytes_after": difference.new.size if difference.new else None,
        "note": difference.note,
    }


def cache_object(reading: CacheReading) -> dict[str, Any]:
    call: Call = reading.call
    return {
        "id": str(call.id),
        "started_at": timestamp(call.started_at),
        "agent_id": call.agent_id,
        "model": call.model or call.requested_model,
        "before": str(reading.before.id) if reading.before else None,
        "available_tokens": reading.available,
        "expected_tokens": reading.expected,
        "expected_is_estimate": reading.estimated,
        "actual_tokens": reading.actual,
        "lost_tokens": reading.lost,
        "lost_usd": None if reading.lost_cost is None else str(reading.lost_cost),
        "cause": reading.cause.value if reading.cause else None,
        "reasons": list(reading.reasons),
    }


def waste_object(waste: Waste, largest: int) -> dict[str, Any]:
    """Token figures of parts are estimates, hence `..._estimate`; `prompt_tokens` is the provider's."""
    return {
        "contexts": [context_object(context, largest) for context in waste.contexts],
        "files_read_again": [
            {"path": file.path, "reads": file.reads, "result_bytes": file.result_bytes} for file in waste.files
        ],
        "tools_never_called": [
            {
                "name": tool.name,
                "bytes": tool.size,
                "offered": tool.calls,
                "tokens_estimate": tool.tokens,
                "carried_tokens_estimate": tool.carried,
                "usd_estimate": None if tool.cost is None else str(tool.cost),
            }
            for tool in waste.idle_tools
        ],
    }


def context_object(context: ContextReport, largest: int) -> dict[str, Any]:
    return {
        "id": str(context.call.id),
        "agent_id": context.call.agent_id,
        "prompt_tokens": context.prompt_tokens,
        "residents": [
            {
                "name": resident.name,
                "section": resident.kind.name.lower(),
                "bytes": resident.size,
                "tokens_estimate": resident.tokens,
                "calls": resident.calls,
                "carried_tokens_estimate": resident.carried,
            }
            for resident in context.residents[:largest]
        ],
    }


def tool_object(tool: ToolFigures) -> dict[str, Any]:
    return {
        "name": tool.name,
        "calls": tool.calls,
        "errors": tool.errors,
        "outcome_unknown": tool.unknown,
        "without_result": tool.unanswered,
        "offered": tool.offered,
        "median_wait_ms": tool.median_wait_ms,
        "longest_wait_ms": tool.longest_wait_ms,
        "result_bytes": tool.total_result_bytes,
        "largest_result_bytes": tool.largest_result_bytes,
    }
