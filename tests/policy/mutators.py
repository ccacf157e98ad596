"""Small breaks of a module's source: one expression or statement each, by the shape of its syntax tree."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_COMPUTED: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.FloorDiv,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitAnd,),
}
_ONE_SIDED = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)
_CALLED = {
    "all": "any",
    "any": "all",
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "minimum": "maximum",
    "union": "intersection",
    "intersection": "union",
    "issubset": "issuperset",
    "issuperset": "issubset",
    "startswith": "endswith",
    "endswith": "startswith",
    "flatnonzero": "atleast_1d",
    "zeros": "ones",
    "ones": "zeros",
}
_MADE_EMPTY = ("frozenset", "set", "dict", "tuple", "list")
_LOGGED = ("logger", "logging")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One break.

    Attributes:
        module: path of the file, from the project's root.
        within: qualified name of the function or class that it is in; empty at the module's level.
        line: number of its first line, from 1.
        statement: that line as it is, without its indentation.
        before: the text that is replaced, in one line.
        after: what stands there instead.
        span: where in the file's bytes, from and to.
        text: the bytes that go there.
    """

    module: str
    within: str
    line: int
    statement: str
    before: str
    after: str
    span: tuple[int, int]
    text: bytes

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What it is recognised by when lines have moved."""
        return self.module, self.within, self.statement, self.before, self.after

    def applied(self, source: bytes) -> bytes:
        """The file with the break in it."""
        return source[: self.span[0]] + self.text + source[self.span[1] :]

    def diff(self, source: bytes) -> str:
        """What it changes, for a reader."""
        lines = difflib.unified_diff(
            source.decode().splitlines(),
            self.applied(source).decode().splitlines(),
            self.module,
            f"{self.within or 'the module'}, broken",
            lineterm="",
            n=1,
        )
        return "\n".join(lines)


def mutations(module: str, source: bytes) -> list[Mutation]:
    """All breaks of a file, in the order of its lines; each compiles."""
    found: dict[tuple[int, int, bytes], Mutation] = {}
    for one in _Mutator(module, source).all():
        broken = one.applied(source)
        if broken == source:
            continue
        try:
            compile(broken, module, "exec")
        except SyntaxError:
            continue
        found.setdefault((*one.span, one.text), one)
    return sorted(found.values(), key=lambda one: (one.span, one.after))


class _Mutator:
    def __init__(self, module: str, source: bytes) -> None:
        self._module = module
        self._source = source
        self._tree = ast.parse(source)
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def all(self) -> Iterator[Mutation]:
        yield from self._of_body(self._tree, "")

    def _of_body(self, node: ast.AST, within: str) -> Iterator[Mutation]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inside = f"{within}.{child.name}" if within else child.name
                parts = [*(one for one in child.decorator_list if not _makes_record(one)), *child.body]
                if not isinstance(child, ast.ClassDef):
                    parts += [
                        *child.args.defaults,
                        *(one for one in child.args.kw_defaults if one is not None),
                    ]
                for part in parts:
                    yield from self._of(part, inside)
            else:
                yield from self._of(child, within)

    def _of(self, node: ast.AST, within: str) -> Iterator[Mutation]:
        """Breaks of a node and of all below it, but for what is only read by people or type checkers."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from self._of_body(ast.Module([node], []), within)
            return
        if _is_words(node):
            return
        if isinstance(node, ast.Raise):
            yield from self._replaced(node, within, "pass")
            return
        yield from self._own(node, within)
        if isinstance(node, ast.AnnAssign):
            below: list[ast.AST] = [node.value] if node.value is not None else []
        elif isinstance(node, ast.Lambda):
            below = [*node.args.defaults, node.body]
        else:
            below = list(ast.iter_child_nodes(node))
        for child in below:
            yield from self._of(child, within)

    def _own(self, node: ast.AST, within: str) -> Iterator[Mutation]:  # noqa: C901, PLR0912 - one case a kind of node
        match node:
            case ast.Compare():
                yield from self._compared(node, within)
            case ast.BoolOp():
                other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
                yield from self._replaced(node, within, ast.BoolOp(other, node.values))
                for place in range(len(node.values)):
                    rest = [*node.values[:place], *node.values[place + 1 :]]
                    less = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
                    yield from self._replaced(node, within, less)
            case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub()):
                yield from self._replaced(node, within, node.operand)
            case ast.BinOp():
                for operator in _COMPUTED.get(type(node.op), ()):
                    yield from self._replaced(node, within, ast.BinOp(node.left, operator(), node.right))
                if isinstance(node.op, _ONE_SIDED):
                    yield from self._replaced(node, within, node.left)
                    if not isinstance(node.op, ast.Sub):
                        yield from self._replaced(node, within, node.right)
            case ast.AugAssign():
                for operator in _COMPUTED.get(type(node.op), ()):
                    changed = ast.AugAssign(node.target, operator(), node.value)
                    yield from self._replaced(node, within, changed)
                yield from self._replaced(node, within, ast.Assign([node.target], node.value, lineno=0))
                yield from self._replaced(node, within, "pass")
            case ast.Constant():
                yield from self._constants(node, within)
            case ast.If() | ast.IfExp() | ast.While():
                for test in _conditions(node):
                    yield from self._replaced(node.test, within, test)
            case ast.comprehension():
                for condition in node.ifs:
                    yield from self._replaced(condition, within, ast.Constant(True))
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.Delete():
                yield from self._replaced(node, within, "pass")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield from self._replaced(node, within, "pass")
            case ast.Return(value=value) if value is not None:
                if not (isinstance(value, ast.Constant) and value.value is None):
                    yield from self._replaced(value, within, ast.Constant(None))
            case ast.Return():
                yield from self._replaced(node, within, "pass")
            case ast.Continue():
                yield from self._replaced(node, within, "pass")
                yield from self._replaced(node, within, "break")
            case ast.Break():
                yield from self._replaced(node, within, "continue")
            case ast.Call():
                yield from self._called(node, within)
            case _:
                pass

    def _compared(self, node: ast.Compare, within: str) -> Iterator[Mutation]:
        for place, old in enumerate(node.ops):
            for new in _COMPARED[type(old)]:
                operators = [*node.ops[:place], new(), *node.ops[place + 1 :]]
                yield from self._replaced(node, within, ast.Compare(node.left, operators, node.comparators))
        for part in (node.left, *node.comparators):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield from self._replaced(part, within, ast.Constant(f"{part.value}~"))

    def _called(self, node: ast.Call, within: str) -> Iterator[Mutation]:
        name = node.func
        if isinstance(name, ast.Name) and name.id in _CALLED:
            changed: ast.expr = ast.Name(_CALLED[name.id])
            yield from self._replaced(name, within, changed)
        elif isinstance(name, ast.Attribute) and name.attr in _CALLED:
            yield from self._replaced(name, within, ast.Attribute(name.value, _CALLED[name.attr]))
        if isinstance(name, ast.Name) and name.id in _MADE_EMPTY and node.args:
            yield from self._replaced(node, within, ast.Call(name, [], []))

    def _constants(self, node: ast.Constant, within: str) -> Iterator[Mutation]:
        value = node.value
        if isinstance(value, bool):
            yield from self._replaced(node, within, ast.Constant(not value))
        elif isinstance(value, int | float):
            yield from self._replaced(node, within, ast.Constant(value + 1))
            if value > 1:
                yield from self._replaced(node, within, ast.Constant(value - 1))

    def _replaced(self, node: ast.AST, within: str, new: ast.AST | str) -> Iterator[Mutation]:
        if not isinstance(node, ast.expr | ast.stmt) or node.end_lineno is None:
            return
        after = new if isinstance(new, str) else ast.unparse(ast.fix_missing_locations(new))
        expression = isinstance(node, ast.expr)
        first = self._starts[node.lineno - 1] + node.col_offset
        last = self._starts[node.end_lineno - 1] + (node.end_col_offset or 0)
        before = " ".join(self._source[first:last].decode().split())
        yield Mutation(
            module=self._module,
            within=within,
            line=node.lineno,
            statement=self._lines[node.lineno - 1].decode().strip(),
            before=before,
            after=after,
            span=(first, last),
            text=(
                f"({after})" if expression and not isinstance(new, ast.Constant | ast.Name) else after
            ).encode(),
        )


def _conditions(node: ast.If | ast.IfExp | ast.While) -> Iterator[ast.expr]:
    """The other branch always, this branch always, and each for the other."""
    if not isinstance(node.test, ast.Compare | ast.UnaryOp):
        yield ast.UnaryOp(ast.Not(), node.test)
    yield ast.Constant(False)
    if not isinstance(node, ast.While):
        yield ast.Constant(True)


def _makes_record(decorator: ast.expr) -> bool:
    """Whether a decorator is `dataclass`: that a record is frozen is the type checker's matter."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id == "dataclass"


def _is_words(node: ast.AST) -> bool:
    """Whether it is a text, an entry of the log, or an import."""
    match node:
        case ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name in _LOGGED
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case _:
            return False
