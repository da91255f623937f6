"""What beat sends, the worker must know."""

from __future__ import annotations

from proxy_project.celery import SCHEDULE, app


def test_every_task_of_the_schedule_is_in_a_module_the_worker_imports() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in SCHEDULE.values()} <= set(app.tasks)
