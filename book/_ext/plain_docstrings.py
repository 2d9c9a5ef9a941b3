"""Let Sphinx read docstrings that are written for people.

symlib's docstrings are plain text. `code` stands between single backticks, an example is an
indented block after a paragraph, fields are listed as `name: what it is` with later lines
indented, and |r| or equations_ mean what they say. reStructuredText reads some of that as
markup of its own, so it is spelled out here before Sphinx sees it. Sections such as `Args:`
are left to napoleon.
"""

import re

_CODE = re.compile(r"(`+)(.+?)\1")
# What reStructuredText would take for a substitution, emphasis or a reference.
_MARKUP = re.compile(r"(?<!\\)([|*]|_(?!\w))")
_BULLET = re.compile(r"^(\s*[*-] )(.*)$")
_FIELD = re.compile(r"^(\s*)([A-Za-z_*][\w*, ]*):( \S.*)$")


def _spell_out(line: str) -> str:
    bullet = _BULLET.match(line)
    if bullet:
        return bullet[1] + _spell_out(bullet[2])
    parts, end = [], 0
    for match in _CODE.finditer(line):
        parts += [_MARKUP.sub(r"\\\1", line[end : match.start()]), f"``{match[2]}``"]
        end = match.end()
    return "".join([*parts, _MARKUP.sub(r"\\\1", line[end:])])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _blocks(lines: list[str]) -> list[list[str]]:
    """The lines as runs without a blank line; each blank line is a run of its own."""
    blocks = []
    for line in lines:
        if line.strip() and blocks and blocks[-1][-1].strip():
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return blocks


def _fields(block: list[str]) -> list[str] | None:
    """A block of `name: what it is` lines as a list; None if it is something else."""
    base = _indent(block[0])
    heads = [line for line in block if _indent(line) <= base]
    if not all(_FIELD.match(line) for line in heads) or len(block) < 2:
        return None
    listed = []
    for line in block:
        field = _FIELD.match(line)
        if _indent(line) > base:
            listed.append(" " * (base + 2) + _spell_out(line.strip()))
        else:
            listed.append(f"{field[1]}* **{_spell_out(field[2])}**:{_spell_out(field[3])}")
    return listed


def restructure(lines: list[str]) -> list[str]:
    """A plain docstring as reStructuredText."""
    result, blocks, example = [], _blocks(lines), None
    for number, block in enumerate(blocks):
        if example is not None and (not block[0].strip() or _indent(block[0]) > example):
            result += block
            continue
        example = None
        text = _fields(block) or [_spell_out(line) for line in block]
        following = next((later for later in blocks[number + 1 :] if later[0].strip()), None)
        first, last = block[0], block[-1]
        # In a section such as `Args:` later lines are indented too, but are no example.
        paragraph = first.strip() and _indent(first) == _indent(last)
        if following and paragraph and _indent(following[0]) > _indent(last):
            example = _indent(last)
            if last.rstrip().endswith(":"):
                text[-1] = text[-1].rstrip() + ":"
            else:
                text += ["", " " * example + "::"]
        result += text
    return result


def _process(app, what, name, thing, options, lines):
    lines[:] = restructure(lines)


def setup(app):
    """Called by Sphinx; runs before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
