"""How the calls of well-known tools look. A tool nobody knows shows its input as names and values, and as JSON.

Inputs are hostile: a name is known, its input may be anything. Each function takes the input as a mapping and returns
a `Look`; what is missing is left out.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

from dashboard.rendering.markup import language_of
from dashboard.rendering.pieces import (
    Look,
    Piece,
    code_piece,
    diff_piece,
    facts_piece,
    json_piece,
    patch_piece,
    prose_piece,
    tasks_piece,
)
from gateway.history.transcript import parse
from gateway.history.transcript.blocks import as_list, as_mapping, as_text

Input = Mapping[str, Any]
Viewer = Callable[[str, Input], Look]

SUMMARY: Final = 160
NEWLINE: Final = "\n"
SCALARS: Final = (str, int, float, bool)
SHORT: Final = 200


def look_of(name: str, value: object) -> Look:
    """The look of a call of the tool `name` with this input: a value, or the JSON text of one."""
    parsed = read_input(value)
    if isinstance(parsed, Mapping):
        look = VIEWERS.get(name, other)(name, parsed)
        # A known tool that was called in another way than the known one.
        return look if look.summary or look.pieces or not parsed else other(name, parsed)
    if name == "apply_patch":
        return patch(name, {"input": parsed})
    return Look("tool", name, pieces=(code_piece(as_text(parsed)),) if parsed not in (None, "") else ())


def read_input(value: object) -> object:
    """OpenAI's dialects carry arguments as JSON text; text that is none stays text."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        found = parse(value.encode("utf-8", "surrogatepass"))
        return value if found is None else found
    return value


def line(*parts: object) -> str:
    """One short line of what is there."""
    text = " ".join(" ".join(as_text(part).split()) for part in parts if part not in (None, ""))
    return text if len(text) <= SUMMARY else text[: SUMMARY - 1] + "…"


def command(name: str, given: Input) -> Look:
    text = given.get("command", given.get("cmd"))
    shown = shell_text(text)
    extras = facts_piece(
        [
            ("in", given.get("workdir") or given.get("cwd")),
            ("timeout", milliseconds(given.get("timeout", given.get("timeout_ms")))),
            ("runs", "in the background" if given.get("run_in_background") is True else None),
            ("why", given.get("justification")),
        ]
    )
    said = as_text(given.get("description"))
    short = not said and "\n" not in shown and len(shown) <= SUMMARY
    pieces = [*([code_piece(shown, "bash")] if shown and not short else []), *([extras] if extras.rows else [])]
    return Look("terminal", name, line(said or shown), pieces)


def shell_text(value: object) -> str:
    """A command, or a list of its words; what a shell is only asked to run is shown without that shell."""
    if not isinstance(value, list):
        return as_text(value)
    words = [as_text(word) for word in value]
    if len(words) == 3 and words[0].endswith("sh") and words[1] in ("-c", "-lc"):
        return words[2]
    return shlex.join(words)


def milliseconds(value: object) -> str | None:
    return f"{value / 1000:g} s" if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_file(name: str, given: Input) -> Look:
    path = as_text(given.get("file_path") or given.get("path") or given.get("notebook_path"))
    first, count = given.get("offset"), given.get("limit")
    lines = f"from line {first}" if isinstance(first, int) else ""
    lines += f", {count} lines" if isinstance(count, int) else ""
    return Look("file", name, line(path), note=line(lines.lstrip(", "), given.get("pages")) if path else "")


def edit(name: str, given: Input) -> Look:
    path = as_text(given.get("file_path") or given.get("path"))
    edits = as_list(given.get("edits")) or [given]
    pieces = [
        diff_piece(fields.get("old_string", fields.get("old_str")), fields.get("new_string", fields.get("new_str")))
        for fields in map(as_mapping, edits[:50])
    ]
    everywhere = "everywhere" if given.get("replace_all") is True else ""
    return Look("edit", name, line(path), pieces, line(changed(pieces), everywhere))


def changed(pieces: list[Piece]) -> str:
    added = sum(piece.diff.added for piece in pieces if piece.diff)
    removed = sum(piece.diff.removed for piece in pieces if piece.diff)
    return f"+{added} −{removed}"  # noqa: RUF001 the sign of subtraction


def write(name: str, given: Input) -> Look:
    path = as_text(given.get("file_path") or given.get("path"))
    content = as_text(given.get("content", given.get("file_text")))
    if not content:
        return Look("edit", name, line(path), note="empty")
    return Look(
        "edit", name, line(path), (code_piece(content, language_of(path)),), f"{content.count(NEWLINE) + 1:,} lines"
    )


def notebook(name: str, given: Input) -> Look:
    mode = as_text(given.get("edit_mode")) or "replace"
    language = "markdown" if given.get("cell_type") == "markdown" else "python"
    pieces = (code_piece(given.get("new_source"), language),) if given.get("new_source") else ()
    return Look("edit", name, line(given.get("notebook_path")), pieces, line(mode, "cell", given.get("cell_id")))


def text_editor(name: str, given: Input) -> Look:
    """Anthropic's own editor tool: one tool, several commands."""
    asked = as_text(given.get("command"))
    if asked == "str_replace":
        return edit(f"{name} {asked}", given)
    if asked == "create":
        return write(f"{name} {asked}", given)
    if asked == "insert":
        added = given.get("insert_text", given.get("new_str"))
        note = line("after line", given.get("insert_line"))
        return Look("edit", f"{name} insert", line(given.get("path")), (diff_piece("", added),), note)
    return Look("file", line(name, asked), line(given.get("path")), note=as_text(given.get("view_range")))


def search(name: str, given: Input) -> Look:
    pattern = given.get("pattern", given.get("query"))
    shown = [("in", given.get("path")), ("files", given.get("glob")), ("type", given.get("type"))]
    shown += [(key, as_text(value)) for key, value in given.items() if key.startswith("-") or key == "output_mode"]
    facts = facts_piece(shown)
    return Look("search", name, line(pattern), (facts,) if facts.rows else ())


def listing(name: str, given: Input) -> Look:
    return Look("search", name, line(given.get("path")))


def todos(name: str, given: Input) -> Look:
    piece = tasks_piece(given.get("todos"), "content")
    done = sum(task.state == "done" for task in piece.rows)
    doing = next((task.text for task in piece.rows if task.state == "doing"), "")
    return Look("tasks", name, line(doing), (piece,), f"{done} of {len(piece.rows)} done")


def plan(name: str, given: Input) -> Look:
    piece = tasks_piece(given.get("plan"), "step")
    done = sum(task.state == "done" for task in piece.rows)
    why = [prose_piece(given["explanation"])] if given.get("explanation") else []
    return Look("tasks", name, "", [*why, piece], f"{done} of {len(piece.rows)} done")


def task_change(name: str, given: Input) -> Look:
    """Claude Code's tasks, one at a time."""
    subject = given.get("subject") or given.get("taskId") or given.get("task_id")
    pieces = [prose_piece(given["description"])] if given.get("description") else []
    rest = facts_piece([(key, value) for key, value in given.items() if key in ("owner", "addBlockedBy", "addBlocks")])
    return Look("tasks", name, line(subject), [*pieces, *([rest] if rest.rows else [])], line(given.get("status")))


def agent(name: str, given: Input) -> Look:
    kind = as_text(given.get("subagent_type"))
    pieces = [prose_piece(given["prompt"])] if given.get("prompt") else []
    return Look("agent", name, line(given.get("description")), pieces, line(kind, given.get("model")))


def fetch(name: str, given: Input) -> Look:
    pieces = [prose_piece(given["prompt"])] if given.get("prompt") else []
    return Look("web", name, line(given.get("url")), pieces)


def web_search(name: str, given: Input) -> Look:
    action = as_mapping(given.get("action")) or given
    queries = as_list(action.get("queries"))
    what = action.get("query") or ", ".join(as_text(query) for query in queries[:5]) or action.get("url")
    domains = [("only", action.get("allowed_domains")), ("not", action.get("blocked_domains"))]
    facts = facts_piece([(key, ", ".join(map(as_text, as_list(value)))) for key, value in domains])
    return Look("web", name, line(what), (facts,) if facts.rows else (), line(action.get("type")))


def prose(member: str) -> Viewer:
    """A tool whose input is one text to read."""

    def viewer(name: str, given: Input) -> Look:
        return Look("tasks", name, pieces=(prose_piece(given.get(member)),))

    return viewer


def question(name: str, given: Input) -> Look:
    pieces = [
        Piece(
            "choices",
            as_text(asked.get("question")),
            rows=[
                (as_text(option.get("label")), as_text(option.get("description")))
                for option in map(as_mapping, as_list(asked.get("options"))[:20])
            ],
        )
        for asked in map(as_mapping, as_list(given.get("questions"))[:20])
    ]
    return Look("question", name, line(pieces[0].title if pieces else ""), pieces)


def skill(name: str, given: Input) -> Look:
    return Look("tool", name, line(given.get("skill") or given.get("command"), given.get("args")))


def waiting(name: str, given: Input) -> Look:
    shell = given.get("bash_id") or given.get("shell_id") or given.get("task_id") or given.get("session_id")
    return Look("terminal", name, line(shell, given.get("chars"), given.get("filter")))


def patch(name: str, given: Input) -> Look:
    piece = patch_piece(given.get("input", given.get("patch")))
    files = [found.text for found in piece.diff.lines if found.kind == "file"] if piece.diff else []
    shown = ", ".join(text.partition(":")[2].strip() or text for text in files[:4])
    return Look("edit", name, line(shown), (piece,), changed([piece]))


def local_shell(name: str, given: Input) -> Look:
    action = as_mapping(given.get("action"))
    return command(name, {"command": action.get("command"), "workdir": action.get("working_directory")})


def program(name: str, given: Input) -> Look:
    return Look("terminal", name, pieces=(code_piece(given.get("code"), "python"),))


def image(name: str, given: Input) -> Look:
    return Look("file", name, line(given.get("path") or given.get("revised_prompt")))


def computer(name: str, given: Input) -> Look:
    return Look("tool", name, line(given.get("action"), given.get("coordinate"), given.get("text")))


def other(name: str, given: Input) -> Look:
    """Short values as facts, a single long text as text, anything else as JSON."""
    if name.startswith("mcp__"):
        server, _, tool = name.removeprefix("mcp__").partition("__")
        return generic(tool or server, given, server)
    return generic(name, given, "")


def generic(name: str, given: Input, note: str) -> Look:
    simple = all(value is None or (isinstance(value, SCALARS) and len(str(value)) <= SHORT) for value in given.values())
    if not given:
        return Look("tool", name, note=note)
    if simple and len(given) <= 12:
        facts = facts_piece(
            [(key, value if isinstance(value, str) else as_text(value)) for key, value in given.items()]
        )
        return Look("tool", name, line(next((v for v in given.values() if isinstance(v, str)), "")), (facts,), note)
    return Look("tool", name, pieces=(json_piece(given),), note=note)


COMMANDS: Final = (
    "Bash",
    "bash",
    "shell",
    "exec_command",
    "shell_command",
    "container.exec",
    "bash_code_execution",
)
VIEWERS: Final[dict[str, Viewer]] = {
    **dict.fromkeys(COMMANDS, command),
    **dict.fromkeys(("BashOutput", "KillShell", "KillBash", "TaskOutput", "TaskStop", "write_stdin"), waiting),
    **dict.fromkeys(("Read", "NotebookRead", "read_file"), read_file),
    **dict.fromkeys(("Edit", "MultiEdit"), edit),
    **dict.fromkeys(("Write", "write_file"), write),
    "NotebookEdit": notebook,
    **dict.fromkeys(("str_replace_based_edit_tool", "str_replace_editor", "text_editor_code_execution"), text_editor),
    **dict.fromkeys(("Grep", "Glob", "ToolSearch", "file_search"), search),
    **dict.fromkeys(("LS", "list_dir"), listing),
    "TodoWrite": todos,
    "update_plan": plan,
    **dict.fromkeys(("TaskCreate", "TaskUpdate", "TaskGet"), task_change),
    **dict.fromkeys(("Task", "Agent"), agent),
    **dict.fromkeys(("WebFetch", "web_fetch"), fetch),
    **dict.fromkeys(("WebSearch", "web_search"), web_search),
    "ExitPlanMode": prose("plan"),
    "SendMessage": prose("message"),
    "AskUserQuestion": question,
    **dict.fromkeys(("Skill", "SlashCommand"), skill),
    "apply_patch": patch,
    "local_shell": local_shell,
    **dict.fromkeys(("code_execution", "code_interpreter"), program),
    **dict.fromkeys(("view_image", "image_generation"), image),
    "computer": computer,
}  # fmt: skip
