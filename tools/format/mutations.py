"""One-rule mutants of the reference decoder, from its syntax tree; tools/format/mutants.py runs them on the vectors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DECODER = Path(__file__).parents[2] / "reference_decoder"
MODULES = (
    "fields",
    "container",
    "ranges",
    "decisions",
    "planes",
    "motion",
    "prior",
    "side",
    "temporal_units",
    "latent_decoder",
)
"""In an order in which they can be imported; `model` reads a file that is the reader's own, of which there is one."""
KINDS = {"FormatError": "format", "DamageError": "damage", "LimitError": "limit", "ModelError": "model"}
RANGED = {"u8": 0, "u32": 0, "uvar": 0, "blob": 0, "text": 0, "ratio": 0, "pairs": 0, "fixed": 1, "within": 1}
"""Functions that take a range, and which of their arguments is the first of it."""


@dataclass(frozen=True)
class Mutant:
    """A module with one rule changed; `change` says it as `module.function: before -> after`."""

    module: str
    line: int
    change: str
    source: str


@dataclass(frozen=True)
class Change:
    """Put `new` into a field of `holder`; `shown` is the expression to print."""

    shown: ast.expr
    holder: ast.AST
    field: str
    new: object


def called(node: ast.AST) -> str:
    """The name of the function that a node calls."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def number(node: ast.expr) -> bool:
    """Whether an expression is of whole numbers and the names of constants only."""
    return all(
        isinstance(part, ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop | ast.expr_context)
        or (isinstance(part, ast.Name) and part.id.isupper())
        or (isinstance(part, ast.Constant) and type(part.value) is int)
        for part in ast.walk(node)
    )


def moved(bound: ast.expr) -> tuple[ast.expr, ast.expr]:
    """A bound one higher and one lower."""
    return ast.BinOp(bound, ast.Add(), ast.Constant(1)), ast.BinOp(bound, ast.Sub(), ast.Constant(1))


def compared(condition: ast.AST) -> Iterator[Change]:
    """Each comparison of order in a condition moved by one, each part of an `and` or `or` left out."""
    for node in ast.walk(condition):
        if isinstance(node, ast.BoolOp):
            for value in node.values:
                yield Change(node, node, "values", [other for other in node.values if other is not value])
        elif isinstance(node, ast.Compare) and isinstance(node.ops[-1], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            for bound in moved(node.comparators[-1]):
                yield Change(node, node, "comparators", [*node.comparators[:-1], bound])
            for bound in moved(node.left) if len(node.ops) > 1 else ():
                yield Change(node, node, "left", bound)


def in_call(node: ast.Call) -> Iterator[Change]:
    """A bound of a range or of a clamp moved by one, a clamp left out, a kind of error that is the usual one."""
    name, args = called(node), node.args
    clamps = name in ("min", "max", "clamp") and len(args) > 1
    first = 0 if clamps else RANGED.get(name, len(args))
    for place in range(first, len(args)):
        lengths = not clamps and ast.unparse(args[place]) == "0"
        for bound in moved(args[place])[: 1 if lengths else 2] if number(args[place]) else ():
            yield Change(node, node, "args", [*args[:place], bound, *args[place + 1 :]])
        if clamps:
            yield Change(node, node, "args", [*args[:place], args[place - 1], *args[place + 1 :]])
    if args and isinstance(args[-1], ast.Constant) and args[-1].value in KINDS.values():
        yield Change(node, node, "args", args[:-1])


def changes(tree: ast.AST) -> Iterator[Change]:
    """All changes of one rule."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and called(node.value) in ("need", "end"):
            yield Change(node.value, node, "value", ast.Constant(None))
        if isinstance(node, ast.Call):
            yield from in_call(node)
            if called(node) == "need":
                yield from compared(node.args[0])
            elif called(node) == "copy" and isinstance(node.func, ast.Attribute):
                same = ast.parse(f"lambda: {ast.unparse(node.func.value)}", mode="eval").body
                yield Change(node, node, "func", same)
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            yield from compared(node.test)


def path_of(module: str) -> Path:
    """The file of a module of the reference decoder."""
    return DECODER / f"{module}.py"


def mutants() -> Iterator[Mutant]:
    """All mutants of the reference decoder."""
    for module in MODULES:
        tree = ast.parse(path_of(module).read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for change in list(changes(tree)):
            line = change.shown.lineno
            around = [f.name for f in functions if f.lineno <= line <= (f.end_lineno or 0)]
            before, old = ast.unparse(change.shown), getattr(change.holder, change.field)
            setattr(change.holder, change.field, change.new)
            after = "left out" if isinstance(change.holder, ast.Expr) else ast.unparse(change.shown)
            source = ast.unparse(ast.fix_missing_locations(tree))
            setattr(change.holder, change.field, old)
            yield Mutant(module, line, f"{'.'.join([module, *around[-1:]])}: {before} -> {after}", source)
