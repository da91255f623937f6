"""The Celery app: which broker, which tasks, when. Only `manage.py worker` and whoever sends a task import it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_project.settings")

from celery import Celery
from django.conf import settings

from proxy_project.environment import Environment

HOUR = 3600.0
DAY = 24 * HOUR
SEND_TRACES = "send traces"

SCHEDULE: dict[str, dict[str, Any]] = {
    # A worker that is behind finds everything in one go.
    "sum up": {"task": "gateway.tasks.rollups.roll_up", "schedule": 10.0, "options": {"expires": 10.0}},
    "recompute costs": {"task": "gateway.tasks.costs.recompute", "schedule": 10.0, "options": {"expires": 10.0}},
    "keep terms": {"task": "gateway.tasks.retention.keep_terms", "schedule": DAY},
    "make new text searchable": {
        "task": "gateway.tasks.search.index_new_text",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "follow the remote configuration": {
        "task": "gateway.tasks.remote_configuration.fetch",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "grade what waits": {"task": "gateway.tasks.grading.grade", "schedule": 3.0, "options": {"expires": 3.0}},
    "choose what to grade": {
        "task": "gateway.tasks.grading.sample_requests",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "look at alert rules": {
        "task": "gateway.tasks.alerts.look_at_rules",
        "schedule": 10.0,
        "options": {"expires": 10.0},
    },
    "deliver what is to be told": {
        "task": "gateway.tasks.alerts.deliver",
        "schedule": 2.0,
        "options": {"expires": 2.0},
    },
    "forget old messages": {"task": "gateway.tasks.alerts.forget", "schedule": DAY},
    SEND_TRACES: {"task": "gateway.tasks.traces.send", "schedule": 2.0, "options": {"expires": 2.0}},
    "make partitions ahead": {"task": "gateway.tasks.partitions.make_partitions_ahead", "schedule": HOUR},
}


def configuration(environment: Environment) -> dict[str, Any]:
    folder = environment.data_dir / "broker"
    folder.mkdir(parents=True, exist_ok=True)
    return broker(environment.redis_url, folder) | {
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_default_queue": "turnlog",
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "timezone": "UTC",
        "imports": [
            "gateway.tasks.alerts",
            "gateway.tasks.partitions",
            "gateway.tasks.remote_configuration",
            "gateway.tasks.retention",
            "gateway.tasks.costs",
            "gateway.tasks.grading",
            "gateway.tasks.rollups",
            "gateway.tasks.search",
            "gateway.tasks.traces",
        ],
        "beat_schedule": schedule(environment),
        "beat_scheduler": "proxy_project.beat:OnlyBeat",
        "beat_schedule_filename": str(folder / "schedule"),
        # Beat never sleeps longer: it finds soon that another beat has ended, or that it was told to.
        "beat_max_loop_interval": 1.0,
    }


def schedule(environment: Environment) -> dict[str, dict[str, Any]]:
    """Without an endpoint nobody looks for traces to send."""
    return {name: entry for name, entry in SCHEDULE.items() if name != SEND_TRACES or environment.otlp_endpoint}


def broker(redis_url: str, folder: Path) -> dict[str, Any]:
    """Redis when there is one, else files in `folder`: nothing in them is the only copy of work."""
    if redis_url:
        return {"broker_url": redis_url}
    messages, control = folder / "messages", folder / "control"
    for directory in (messages, control):
        directory.mkdir(exist_ok=True)
    return {
        "broker_url": "filesystem://localhost//",
        "broker_transport_options": {
            "data_folder_in": str(messages),
            "data_folder_out": str(messages),
            "control_folder": str(control),
            "store_processed": False,
        },
    }


app = Celery("turnlog", set_as_current=True)
app.conf.update(configuration(settings.TURNLOG))
